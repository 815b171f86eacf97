-- What seatlock alone does to seats; the statements themselves are functions of sql/schema.

-- name: lock
-- Hold all of the wanted seats or none; one row a seat, or one row a reason.
SELECT (claim).* FROM (
    SELECT catalog.lock_seats(%(event_id)s::bigint, %(seat_ids)s::bigint[], %(holder)s::text,
                              %(seconds)s::double precision, %(held_max)s::integer) AS claim) AS claims;

-- name: unlock_held
-- Give back seats under their fences.
SELECT catalog.unlock_held(%(seat_ids)s::bigint[], %(fences)s::bigint[], %(holder)s::text) AS seat_id;

-- name: unlock_sold
-- Put an order's seats back on sale.
SELECT catalog.unlock_sold(%(seat_ids)s::bigint[], %(order_uuid)s::uuid) AS seat_id;

-- name: commit
-- Make held seats SOLD for an order; the rows are the refused ones.
SELECT catalog.commit_seats(%(seat_ids)s::bigint[], %(fences)s::bigint[], %(holder)s::text,
                            %(order_uuid)s::uuid) AS seat_id;

-- name: extend
-- Lengthen living holds, once.
SELECT * FROM catalog.extend_holds(%(seat_ids)s::bigint[], %(holder)s::text, %(seconds)s::double precision);

-- name: move
-- Give a visitor's holds to an account.
SELECT * FROM catalog.move_holds(%(from_holder)s::text, %(to_holder)s::text, %(held_max)s::integer);

-- name: release_expired
-- Show that holds have run out.
SELECT catalog.release_expired(%(seats_max)s::integer) AS seat_id;

-- name: forget_holder
-- Free what this holder has, and forget who it was on every other seat.
SELECT catalog.forget_holder(%(holder)s::text) AS seat_id;

-- name: available
-- The seats of a section that can be taken now.
SELECT seats.id AS seat_id FROM catalog.seats
 WHERE seats.event_id = %(event_id)s::bigint AND seats.section_number = %(section)s::integer
   AND (seats.status = 'AVAILABLE' OR seats.status = 'LOCKED' AND seats.held_until <= now())
 ORDER BY seats.position;
