-- A purchase: one attempt to buy, under one Idempotency-Key, moved only by its driver.

-- name: begin
-- Make the purchase known before anything remote is asked: which seats, under which fences, which of them the buyer
-- does not hold yet. Nothing comes back where the key is known already, or where an earlier purchase under a key that
-- was given up is still being undone.
WITH found AS (
    SELECT array_agg(id ORDER BY id) AS ids, array_agg(fence ORDER BY id) AS fences, sum(price) AS amount,
           coalesce(array_agg(id ORDER BY id) FILTER
               (WHERE NOT (status = 'LOCKED' AND holder = 'account:' || %(buyer)s::text
                           AND held_until > clock_timestamp())), '{}') AS own_hold
      FROM catalog.seats WHERE id = ANY (%(seat_ids)s::bigint[])
    HAVING count(*) FILTER (WHERE event_id = %(event_id)s::bigint) = cardinality(%(seat_ids)s::bigint[])
), begun AS (
    INSERT INTO orders.purchases (order_uuid, buyer, idempotency_key, digest, event_id, step, seat_ids, fences,
                                  own_hold, amount, currency, driven_by, driven_until)
    SELECT %(order_uuid)s::uuid, %(buyer)s::text, %(key)s::text, %(digest)s::bytea, events.id,
           CASE WHEN own_hold = '{}' THEN 'HELD' ELSE 'BEGUN' END, ids, fences, own_hold,
           CASE WHEN own_hold = '{}' THEN amount END, events.currency, %(driver)s::uuid,
           now() + make_interval(secs => %(lease)s::double precision)
      FROM found, catalog.events WHERE events.id = %(event_id)s::bigint
        ON CONFLICT (buyer, idempotency_key) WHERE NOT (key_given_up AND step = 'REFUSED') DO NOTHING
    RETURNING *
)
SELECT begun.*, events.status = 'PUBLISHED' AS published, events.seats_per_buyer AS allowed,
       0::double precision AS age
  FROM begun JOIN catalog.events ON events.id = begun.event_id;

-- name: by_key
-- What became of a key: the purchase that owns it, else one that is still being undone, else the latest.
SELECT purchases.*, true AS published, extract(epoch FROM now() - purchases.created_at)::double precision AS age
  FROM (SELECT * FROM orders.purchases
         WHERE buyer = %(buyer)s::text AND idempotency_key = %(key)s::text AND NOT key_given_up
        UNION ALL
        SELECT * FROM orders.purchases
         WHERE buyer = %(buyer)s::text AND idempotency_key = %(key)s::text AND key_given_up) AS purchases
 ORDER BY purchases.key_given_up, purchases.step = 'REFUSED', purchases.created_at DESC LIMIT 1;

-- name: take_over
-- Drive a purchase whose driver's lease has ended.
UPDATE orders.purchases
   SET driven_by = %(driver)s::uuid, driven_until = now() + make_interval(secs => %(lease)s::double precision)
 WHERE order_uuid = %(order_uuid)s::uuid AND driven_until <= now() AND step NOT IN ('PLACED', 'REFUSED')
RETURNING *, true AS published, extract(epoch FROM now() - created_at)::double precision AS age,
          (SELECT seats_per_buyer FROM catalog.events WHERE id = event_id) AS allowed;

-- name: take_over_lapsed
-- Drive what nobody drives any more; two sweepers share them. What was let go last comes last, so that what must
-- wait for somebody who is away is in nobody's way.
WITH lapsed AS (
    SELECT order_uuid FROM orders.purchases
     WHERE driven_until <= now() AND step NOT IN ('PLACED', 'REFUSED')
     ORDER BY driven_until LIMIT %(most)s::integer FOR UPDATE SKIP LOCKED
)
UPDATE orders.purchases
   SET driven_by = %(driver)s::uuid, driven_until = now() + make_interval(secs => %(lease)s::double precision)
  FROM lapsed WHERE purchases.order_uuid = lapsed.order_uuid
RETURNING purchases.*, true AS published,
          extract(epoch FROM now() - purchases.created_at)::double precision AS age,
          (SELECT seats_per_buyer FROM catalog.events WHERE id = purchases.event_id) AS allowed;

-- name: held
-- All seats are held: their fences and their sum are known.
UPDATE orders.purchases
   SET step = 'HELD', fences = %(fences)s::bigint[], amount = %(amount)s::numeric,
       driven_until = now() + make_interval(secs => %(lease)s::double precision)
 WHERE order_uuid = %(order_uuid)s::uuid AND step = 'BEGUN' AND driven_by = %(driver)s::uuid
RETURNING *, true AS published, extract(epoch FROM now() - created_at)::double precision AS age,
          (SELECT seats_per_buyer FROM catalog.events WHERE id = event_id) AS allowed;

-- name: refuse
-- Turn back: reason and answer are written before the first undo. From here there is only back.
UPDATE orders.purchases
   SET step = 'REFUSING', answer_status = %(status)s::smallint, answer = %(answer)s::jsonb,
       key_given_up = %(key_given_up)s::boolean, fences = %(fences)s::bigint[],
       driven_until = now() + make_interval(secs => %(lease)s::double precision)
 WHERE order_uuid = %(order_uuid)s::uuid AND step IN ('BEGUN', 'HELD') AND driven_by = %(driver)s::uuid
RETURNING *, true AS published, extract(epoch FROM now() - created_at)::double precision AS age;

-- name: refused
-- Everything is undone.
UPDATE orders.purchases SET step = 'REFUSED'
 WHERE order_uuid = %(order_uuid)s::uuid AND step = 'REFUSING' AND driven_by = %(driver)s::uuid
RETURNING *, true AS published, extract(epoch FROM now() - created_at)::double precision AS age;

-- name: let_go
-- Its driver can do no more just now; whoever looks next may.
UPDATE orders.purchases SET driven_until = now()
 WHERE order_uuid = %(order_uuid)s::uuid AND driven_by = %(driver)s::uuid AND step NOT IN ('PLACED', 'REFUSED')
RETURNING order_uuid;

-- name: place
-- Order, tickets, history (by trigger), outbox row and the purchase's end exist together or not at all.
WITH wanted AS (
    SELECT purchases.order_uuid, purchases.buyer, purchases.event_id, purchases.amount, purchases.currency,
           purchases.seat_ids
      FROM orders.purchases
     WHERE purchases.order_uuid = %(order_uuid)s::uuid AND purchases.step = 'HELD'
       AND purchases.driven_by = %(driver)s::uuid
       FOR UPDATE
), chosen AS (
    SELECT seats.id, sections.name AS section, seats.section_number, seats.row_label, seats.number, seats.position,
           seats.accessible, seats.price
      FROM wanted
      JOIN catalog.seats ON seats.id = ANY (wanted.seat_ids)
      JOIN catalog.sections ON sections.event_id = seats.event_id AND sections.number = seats.section_number
), ordered AS (
    INSERT INTO orders.orders (order_uuid, buyer, event_id, total_amount, currency)
    SELECT order_uuid, buyer, event_id, amount, currency FROM wanted
), ticketed AS (
    INSERT INTO orders.tickets (ticket_uuid, order_uuid, event_id, seat_id, section, section_number, row_label, number,
                                position, accessible, price)
    SELECT gen_random_uuid(), wanted.order_uuid, wanted.event_id, chosen.id, section, section_number, row_label,
           number, position, accessible, price
      FROM wanted, chosen
), told AS (
    INSERT INTO orders.outbox (order_uuid, kind) SELECT order_uuid, 'make' FROM wanted
)
UPDATE orders.purchases
   SET step = 'PLACED', answer_status = 201,
       answer = jsonb_build_object(
           'order_uuid', wanted.order_uuid, 'status', 'PENDING', 'total_amount', wanted.amount::text,
           'currency', wanted.currency,
           'seats', (SELECT jsonb_agg(jsonb_build_object(
                                'id', id, 'section', section, 'section_number', section_number, 'row', row_label,
                                'number', number, 'position', position, 'accessible', accessible,
                                'price', price::text, 'status', 'SOLD') ORDER BY section_number, position)
                       FROM chosen))
  FROM wanted WHERE purchases.order_uuid = wanted.order_uuid
RETURNING purchases.*, true AS published, 0::double precision AS age;

-- name: backlog
-- How many orders are not finished.
SELECT count(*) AS unfinished FROM orders.orders WHERE status IN ('PENDING', 'PROCESSING');

-- name: owned
-- What the buyer has of an event beside this purchase: live tickets, and the seats of purchases under way.
SELECT (SELECT count(*) FROM orders.tickets JOIN orders.orders USING (order_uuid)
         WHERE orders.buyer = %(buyer)s::text AND orders.event_id = %(event_id)s::bigint AND tickets.voided_at IS NULL)
     + (SELECT coalesce(sum(cardinality(seat_ids)), 0) FROM orders.purchases
         WHERE buyer = %(buyer)s::text AND event_id = %(event_id)s::bigint AND step NOT IN ('PLACED', 'REFUSED')
           AND order_uuid IS DISTINCT FROM %(order_uuid)s::uuid) AS seats;

-- name: known
-- Every key at the bank that is ours.
SELECT order_uuid FROM orders.purchases;
