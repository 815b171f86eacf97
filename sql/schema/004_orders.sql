-- What happens to an order after the tap on Pay: the purchase (one attempt, one Idempotency-Key), the order that it
-- ends in, the tickets, the history that a trigger writes, and the outbox that a relay empties.

CREATE TABLE orders.purchases (
    order_uuid uuid PRIMARY KEY,
    buyer text NOT NULL,
    idempotency_key text NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 100),
    key_given_up boolean NOT NULL DEFAULT false,
    digest bytea NOT NULL,
    event_id bigint NOT NULL,
    step text NOT NULL DEFAULT 'BEGUN'
        CHECK (step IN ('BEGUN', 'HELD', 'AUTHORISED', 'COMMITTED', 'PLACED', 'REFUSING', 'REFUSED')),
    seat_ids bigint[] NOT NULL CHECK (cardinality(seat_ids) BETWEEN 1 AND 10),
    fences bigint[] NOT NULL,
    own_hold bigint[] NOT NULL,
    amount numeric(12, 2) CHECK (amount >= 0),
    currency text NOT NULL,
    answer_status smallint,
    answer jsonb,
    driven_by uuid NOT NULL,
    driven_until timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT purchases_know_a_fence_for_each_seat CHECK (cardinality(fences) = cardinality(seat_ids)),
    CONSTRAINT held_purchases_know_their_amount
        CHECK (step NOT IN ('HELD', 'AUTHORISED', 'COMMITTED', 'PLACED') OR amount IS NOT NULL),
    CONSTRAINT ended_purchases_have_an_answer
        CHECK ((step IN ('PLACED', 'REFUSING', 'REFUSED')) = (answer IS NOT NULL))
) WITH (fillfactor = 70);
COMMENT ON COLUMN orders.purchases.buyer IS 'sub of the account; refers to the identity provider';
COMMENT ON COLUMN orders.purchases.event_id IS 'refers to catalog.events; checked by sql/invariants.sql';
COMMENT ON COLUMN orders.purchases.digest IS 'HMAC over event, sorted seats and payment: the same key may not carry another purchase';
COMMENT ON COLUMN orders.purchases.own_hold IS 'the seats that this purchase takes itself, and frees again if it is refused';
COMMENT ON COLUMN orders.purchases.driven_until IS 'whoever drives it has until then; afterwards anybody may take over';
CREATE UNIQUE INDEX one_purchase_a_key ON orders.purchases (buyer, idempotency_key) WHERE NOT key_given_up;
-- For a key that was given up, whose purchase may still be being undone.
CREATE INDEX purchases_given_up ON orders.purchases (buyer, idempotency_key) WHERE key_given_up;
CREATE INDEX purchases_under_way ON orders.purchases (order_uuid) WHERE step NOT IN ('PLACED', 'REFUSED');

CREATE TABLE orders.orders (
    order_uuid uuid PRIMARY KEY,
    buyer text NOT NULL,
    event_id bigint NOT NULL,
    status text NOT NULL DEFAULT 'PENDING'
        CHECK (status IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    reason text,
    total_amount numeric(12, 2) NOT NULL CHECK (total_amount >= 0),
    currency text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    sent_at timestamptz NOT NULL DEFAULT now(),
    sends smallint NOT NULL DEFAULT 1,
    attempts smallint NOT NULL DEFAULT 0,
    retry_at timestamptz,
    dead_at timestamptz,
    settled_at timestamptz,
    CONSTRAINT completed_orders_say_when
        CHECK ((status IN ('COMPLETED', 'CANCELLED')) = (completed_at IS NOT NULL)),
    CONSTRAINT failed_orders_say_why CHECK (status <> 'FAILED' OR reason IS NOT NULL),
    CONSTRAINT only_undone_orders_are_settled CHECK (settled_at IS NULL OR status IN ('FAILED', 'CANCELLED'))
) WITH (fillfactor = 70);
COMMENT ON COLUMN orders.orders.event_id IS 'refers to catalog.events; checked by sql/invariants.sql';
COMMENT ON COLUMN orders.orders.sent_at IS 'when it was last handed to the outbox';
COMMENT ON COLUMN orders.orders.dead_at IS 'dead-lettered: nothing more is tried until an operator replays it or its deadline passes';
COMMENT ON COLUMN orders.orders.settled_at IS 'when a cancelled or failed order had its money back and its seats on sale';
CREATE INDEX orders_of_buyer ON orders.orders (buyer, created_at DESC, order_uuid);
CREATE INDEX orders_unfinished ON orders.orders (order_uuid) WHERE status IN ('PENDING', 'PROCESSING');
CREATE INDEX orders_unsettled ON orders.orders (order_uuid)
    WHERE status IN ('FAILED', 'CANCELLED') AND settled_at IS NULL;

CREATE TABLE orders.tickets (
    ticket_uuid uuid PRIMARY KEY,
    order_uuid uuid NOT NULL REFERENCES orders.orders,
    event_id bigint NOT NULL,
    seat_id bigint NOT NULL,
    section text NOT NULL,
    section_number smallint NOT NULL,
    row_label text NOT NULL,
    number text NOT NULL,
    position smallint NOT NULL,
    accessible boolean NOT NULL,
    price numeric(12, 2) NOT NULL CHECK (price >= 0),
    issue integer NOT NULL DEFAULT 1 CHECK (issue >= 1),
    code text,
    picture bytea,
    voided_at timestamptz,
    admitted_at timestamptz,
    CONSTRAINT a_code_has_its_picture CHECK ((code IS NULL) = (picture IS NULL)),
    CONSTRAINT admitted_tickets_have_a_code CHECK (admitted_at IS NULL OR code IS NOT NULL)
) WITH (fillfactor = 70);
COMMENT ON COLUMN orders.tickets.seat_id IS 'refers to catalog.seats; checked by sql/invariants.sql. The labels are those printed, kept for good';
-- The rule that everything serves: a seat has at most one live ticket, whatever the code believes.
CREATE UNIQUE INDEX one_live_ticket_a_seat ON orders.tickets (seat_id) WHERE voided_at IS NULL;
CREATE INDEX tickets_of_order ON orders.tickets (order_uuid);

CREATE TABLE orders.history (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_uuid uuid NOT NULL REFERENCES orders.orders,
    previous_status text,
    new_status text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    notes text
);
CREATE INDEX history_of_order ON orders.history (order_uuid, number);

CREATE FUNCTION orders.write_history() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO orders.history (order_uuid, previous_status, new_status, notes)
    VALUES (NEW.order_uuid, CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, NEW.status, NEW.reason);
    RETURN NULL;
END
$$;
CREATE TRIGGER order_begun AFTER INSERT ON orders.orders
    FOR EACH ROW EXECUTE FUNCTION orders.write_history();
CREATE TRIGGER order_changed AFTER UPDATE OF status ON orders.orders
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION orders.write_history();

CREATE TABLE orders.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_uuid uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('make', 'settle')),
    alone boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE orders.outbox IS 'committed with the fact that it tells; the relay deletes exactly the ids that it sent';
COMMENT ON COLUMN orders.outbox.alone IS 'gets a job of its own, so that it cannot take 24 others down with it again';
CREATE INDEX outbox_of_order ON orders.outbox (order_uuid);
