-- Who did what to an order, an event, a ticket or an account: rows that no process can change or delete, and how an
-- account is forgotten in spite of them.

-- The log knows an account by a number that stands here alone. Whoever erases the account deletes this row: then the
-- log still says what happened, and nothing says to whom.
CREATE TABLE accounts.actors (
    actor uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sub text NOT NULL UNIQUE
);
COMMENT ON TABLE accounts.actors IS 'what the audit log calls an account; gone when the account is erased';

CREATE TABLE accounts.audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor uuid,
    process text,
    action text NOT NULL CHECK (action ~ '^[a-z_]{1,40}$'),
    account uuid,
    order_uuid uuid,
    event_id bigint,
    ticket_uuid uuid,
    detail text NOT NULL DEFAULT '' CHECK (length(detail) <= 100),
    request text NOT NULL DEFAULT '' CHECK (request ~ '^[0-9a-f]{0,32}$'),
    CONSTRAINT one_alone_does_it CHECK (actor IS NULL OR process IS NULL)
);
COMMENT ON TABLE accounts.audit IS 'without address, name or e-mail; orders'' states are in orders.history, and accounts.trail shows both';
COMMENT ON COLUMN accounts.audit.actor IS 'the account that did it, as accounts.actors knows it; no actor and no process: a visitor';
COMMENT ON COLUMN accounts.audit.account IS 'the account that it was done to, where that is another than the actor';
COMMENT ON COLUMN accounts.audit.request IS 'the id of the request, as in the log and in X-Request-Id';
CREATE INDEX audit_of_actor ON accounts.audit (actor, number) WHERE actor IS NOT NULL;
CREATE INDEX audit_of_account ON accounts.audit (account, number) WHERE account IS NOT NULL;
CREATE INDEX audit_of_order ON accounts.audit (order_uuid, number) WHERE order_uuid IS NOT NULL;
CREATE INDEX audit_of_event ON accounts.audit (event_id, number) WHERE event_id IS NOT NULL;

-- Number and time are the database's; what a process did is written by a trigger, which web cannot pretend to be.
GRANT SELECT, INSERT (actor, action, account, order_uuid, event_id, ticket_uuid, detail, request)
    ON accounts.audit TO web;
GRANT SELECT, INSERT (sub), DELETE ON accounts.actors TO web;
GRANT DELETE ON accounts.users TO web;

-- An order's history says who changed it. It is a record like the log, so nobody changes that either.
ALTER TABLE orders.orders ADD COLUMN changed_by text NOT NULL DEFAULT 'buyer' CHECK (length(changed_by) BETWEEN 1 AND 40);
ALTER TABLE orders.history ADD COLUMN changed_by text NOT NULL DEFAULT 'buyer';
COMMENT ON COLUMN orders.orders.changed_by IS 'who changed it last: buyer, a process, or an actor of accounts.actors';
UPDATE orders.history
   SET changed_by = CASE WHEN notes = 'not_finished_in_time' THEN 'sweeper' ELSE 'worker' END
 WHERE new_status IN ('PROCESSING', 'COMPLETED', 'FAILED');
REVOKE UPDATE, DELETE ON orders.history FROM pipeline;
CREATE INDEX orders_of_event ON orders.orders (event_id);

CREATE OR REPLACE FUNCTION orders.write_history() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO orders.history (order_uuid, previous_status, new_status, notes, changed_by)
    VALUES (NEW.order_uuid, CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, NEW.status, NEW.reason, NEW.changed_by);
    RETURN NULL;
END
$$;

-- What is done to an order without a new state: its money and seats went back, or nothing more is tried.
CREATE FUNCTION orders.write_audit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    INSERT INTO accounts.audit (process, action, order_uuid, event_id)
    VALUES (NEW.changed_by, CASE WHEN NEW.dead_at IS NULL THEN 'order_settled' ELSE 'order_dead_lettered' END,
            NEW.order_uuid, NEW.event_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER order_settled AFTER UPDATE OF settled_at ON orders.orders
    FOR EACH ROW WHEN (OLD.settled_at IS NULL AND NEW.settled_at IS NOT NULL) EXECUTE FUNCTION orders.write_audit();
CREATE TRIGGER order_dead_lettered AFTER UPDATE OF dead_at ON orders.orders
    FOR EACH ROW WHEN (OLD.dead_at IS NULL AND NEW.dead_at IS NOT NULL) EXECUTE FUNCTION orders.write_audit();

-- Both records as one. `account` is whom it was done to; of an order that is its buyer.
CREATE VIEW accounts.trail AS
SELECT 'audit' AS source, audit.number, audit.at, audit.action,
       coalesce(doers.sub, 'erased:' || audit.actor, audit.process) AS who,
       coalesce(others.sub, 'erased:' || audit.account) AS account,
       audit.order_uuid, audit.event_id, audit.ticket_uuid, audit.detail, audit.request,
       audit.actor, audit.account AS of_actor, NULL AS buyer
  FROM accounts.audit
  LEFT JOIN accounts.actors AS doers ON doers.actor = audit.actor
  LEFT JOIN accounts.actors AS others ON others.actor = audit.account
UNION ALL
SELECT 'history', history.number, history.changed_at,
       CASE history.new_status WHEN 'PENDING' THEN 'order_placed' WHEN 'PROCESSING' THEN 'order_started'
                               ELSE 'order_' || lower(history.new_status) END,
       CASE WHEN history.changed_by = 'buyer' THEN orders.buyer ELSE history.changed_by END,
       orders.buyer, history.order_uuid, orders.event_id, NULL, coalesce(history.notes, ''), '',
       NULL, NULL, orders.buyer
  FROM orders.history JOIN orders.orders ON orders.order_uuid = history.order_uuid;
GRANT SELECT ON accounts.trail TO web;

-- What of a buyer must end before the account may be erased: purchases under way, tickets being drawn, money on its way
-- back, and live tickets of events that are not over.
CREATE FUNCTION orders.standing(of_buyer text) RETURNS TABLE (order_uuid uuid, event_id bigint, why text)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT purchases.order_uuid, purchases.event_id, 'buying'
      FROM orders.purchases WHERE purchases.buyer = of_buyer AND purchases.step NOT IN ('PLACED', 'REFUSED')
    UNION ALL
    SELECT orders.order_uuid, orders.event_id,
           CASE orders.status WHEN 'COMPLETED' THEN 'coming' WHEN 'FAILED' THEN 'refund' WHEN 'CANCELLED' THEN 'refund'
                              ELSE 'drawing' END
      FROM orders.orders JOIN catalog.events ON events.id = orders.event_id
     WHERE orders.buyer = of_buyer
       AND (orders.status IN ('PENDING', 'PROCESSING')
            OR orders.status IN ('FAILED', 'CANCELLED') AND orders.settled_at IS NULL
            OR orders.status = 'COMPLETED' AND events.ends_at > now()
               AND EXISTS (SELECT FROM orders.tickets
                            WHERE tickets.order_uuid = orders.order_uuid AND tickets.voided_at IS NULL));
END;

-- Nothing is held by this holder any more, and no seat remembers it.
CREATE FUNCTION catalog.forget_holder(forgotten text) RETURNS SETOF bigint
    LANGUAGE plpgsql AS $$
DECLARE
    freed bigint[];
BEGIN
    WITH held AS (
        SELECT s.id FROM catalog.seats s
         WHERE s.holder = forgotten AND s.status = 'LOCKED' ORDER BY s.id FOR UPDATE
    ), changed AS (
        UPDATE catalog.seats s
           SET status = 'AVAILABLE', holder = NULL, held_until = NULL, fence = s.fence + 1
          FROM held WHERE s.id = held.id
        RETURNING s.id
    )
    SELECT array_agg(id ORDER BY id) INTO freed FROM changed;
    IF freed IS NOT NULL THEN
        PERFORM catalog.note_changes(freed, 'f');
    END IF;
    UPDATE catalog.seats s
       SET holder = nullif(s.holder, forgotten), given_back_by = nullif(s.given_back_by, forgotten)
      FROM (SELECT o.id FROM catalog.seats o
             WHERE o.holder = forgotten OR o.given_back_by = forgotten ORDER BY o.id FOR UPDATE) AS other
     WHERE s.id = other.id;
    RETURN QUERY SELECT unnest(freed);
END
$$;
