-- The audit log: who did what, written by INSERT alone, read with the orders' history as one.

-- name: know
-- Give an account its number in the log, unless it has one.
INSERT INTO accounts.actors (sub) VALUES (%(sub)s::text) ON CONFLICT DO NOTHING RETURNING actor;

-- name: actor
-- What the log calls an account.
SELECT actor FROM accounts.actors WHERE sub = %(sub)s::text;

-- name: record
-- One deed. Without a sub a visitor did it; an e-mail address names whom it was done to, and is not written.
INSERT INTO accounts.audit (actor, action, account, order_uuid, event_id, ticket_uuid, detail, request)
SELECT (SELECT actor FROM accounts.actors WHERE sub = %(sub)s::text), %(action)s::text,
       (SELECT actors.actor FROM accounts.actors JOIN accounts.users USING (sub)
         WHERE users.email = lower(%(email)s::text)),
       %(order_uuid)s::uuid, %(event_id)s::bigint, %(ticket_uuid)s::uuid, %(detail)s::text, %(request)s::text
RETURNING number;

-- name: latest
-- The newest deeds of all, so many of each record, below the numbers that were shown already.
(SELECT * FROM accounts.trail
  WHERE source = 'audit' AND number < %(audit)s::bigint
    AND (%(action)s::text IS NULL OR action = %(action)s::text)
  ORDER BY number DESC LIMIT %(limit)s::integer)
UNION ALL
(SELECT * FROM accounts.trail
  WHERE source = 'history' AND number < %(history)s::bigint
    AND (%(action)s::text IS NULL OR action = %(action)s::text)
  ORDER BY number DESC LIMIT %(limit)s::integer);

-- name: of_order
-- The same of one order.
SELECT * FROM (
    SELECT trail.*, row_number() OVER (PARTITION BY source ORDER BY number DESC) AS place FROM accounts.trail
     WHERE order_uuid = %(order_uuid)s::uuid
       AND number < CASE source WHEN 'audit' THEN %(audit)s::bigint ELSE %(history)s::bigint END
       AND (%(action)s::text IS NULL OR action = %(action)s::text)) AS told
 WHERE place <= %(limit)s::integer ORDER BY source, number DESC;

-- name: of_event
-- The same of one event and its orders.
SELECT * FROM (
    SELECT trail.*, row_number() OVER (PARTITION BY source ORDER BY number DESC) AS place FROM accounts.trail
     WHERE event_id = %(event_id)s::bigint
       AND number < CASE source WHEN 'audit' THEN %(audit)s::bigint ELSE %(history)s::bigint END
       AND (%(action)s::text IS NULL OR action = %(action)s::text)) AS told
 WHERE place <= %(limit)s::integer ORDER BY source, number DESC;

-- name: of_account
-- The same of one account: what it did, and what was done to it and its orders.
SELECT * FROM (
    SELECT mine.*, row_number() OVER (PARTITION BY source ORDER BY number DESC) AS place
      FROM (SELECT * FROM accounts.trail WHERE actor = %(actor)s::uuid
            UNION SELECT * FROM accounts.trail WHERE of_actor = %(actor)s::uuid
            UNION ALL SELECT * FROM accounts.trail WHERE buyer = %(buyer)s::text) AS mine
     WHERE number < CASE source WHEN 'audit' THEN %(audit)s::bigint ELSE %(history)s::bigint END
       AND (%(action)s::text IS NULL OR action = %(action)s::text)) AS told
 WHERE place <= %(limit)s::integer ORDER BY source, number DESC;
