-- What the elected relay moves to Redis: messages about orders, and changes of seats.

-- name: elected
-- Whether this connection's copy of a process is the elected one; gone with the connection.
SELECT pg_try_advisory_lock(%(lock)s::bigint) AS mine;

-- name: waiting
-- The oldest messages.
SELECT id, order_uuid, kind, alone FROM orders.outbox ORDER BY id LIMIT %(most)s::integer;

-- name: sent
-- Exactly the ids that were sent.
DELETE FROM orders.outbox WHERE id = ANY (%(ids)s::bigint[]) RETURNING id;

-- name: seat_changes
-- The oldest changes of seats.
SELECT number, event_id, section_number, positions, state FROM catalog.seat_changes
 ORDER BY number LIMIT %(most)s::integer;

-- name: seat_changes_sent
-- Exactly the numbers that were sent.
DELETE FROM catalog.seat_changes WHERE number = ANY (%(numbers)s::bigint[]) RETURNING number;
