-- Orders as their buyer may read them, and how they end.

-- name: page
-- A buyer's orders with their events, the newest first, from the cursor on.
SELECT orders.order_uuid, orders.buyer, orders.status, orders.reason, orders.total_amount, orders.currency,
       orders.event_id, orders.created_at, orders.completed_at, orders.settled_at, orders.dead_at IS NOT NULL AS stuck,
       orders.status IN ('PENDING', 'PROCESSING') AND orders.created_at < now() - interval '10 seconds' AS late,
       orders.status = 'COMPLETED' AND events.starts_at > now()
       AND NOT EXISTS (SELECT FROM orders.tickets
                        WHERE tickets.order_uuid = orders.order_uuid AND tickets.admitted_at IS NOT NULL) AS cancellable,
       events.title, events.category, events.venue, events.time_zone, events.starts_at, events.ends_at
  FROM orders.orders JOIN catalog.events ON events.id = orders.event_id
 WHERE orders.buyer = %(buyer)s::text
   AND (%(after_at)s::timestamptz IS NULL
        OR (orders.created_at, orders.order_uuid) < (%(after_at)s::timestamptz, %(after_uuid)s::uuid))
 ORDER BY orders.created_at DESC, orders.order_uuid DESC LIMIT %(limit)s::integer;

-- name: some
-- Orders with their events: those of this buyer, or (to push each to its own buyer) all of them.
SELECT orders.order_uuid, orders.buyer, orders.status, orders.reason, orders.total_amount, orders.currency,
       orders.event_id, orders.created_at, orders.completed_at, orders.settled_at, orders.dead_at IS NOT NULL AS stuck,
       orders.status IN ('PENDING', 'PROCESSING') AND orders.created_at < now() - interval '10 seconds' AS late,
       orders.status = 'COMPLETED' AND events.starts_at > now()
       AND NOT EXISTS (SELECT FROM orders.tickets
                        WHERE tickets.order_uuid = orders.order_uuid AND tickets.admitted_at IS NOT NULL) AS cancellable,
       events.title, events.category, events.venue, events.time_zone, events.starts_at, events.ends_at
  FROM orders.orders JOIN catalog.events ON events.id = orders.event_id
 WHERE orders.order_uuid = ANY (%(order_uuids)s::uuid[])
   AND (%(buyer)s::text IS NULL OR orders.buyer = %(buyer)s::text);

-- name: waiting
-- What is not finished, and for how long the oldest has waited that nobody has begun.
SELECT count(*) AS unfinished, count(*) FILTER (WHERE dead_at IS NOT NULL) AS stuck,
       coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE status = 'PENDING' AND attempts = 0 AND retry_at IS NULL)), 0)::double precision AS seconds
  FROM orders.orders WHERE status IN ('PENDING', 'PROCESSING');

-- name: stuck_of_event
-- How many dead-lettered orders an event has, for its organiser alone.
SELECT count(*) AS orders FROM orders.orders JOIN catalog.events ON events.id = orders.event_id
 WHERE orders.event_id = %(event_id)s::integer AND events.organiser = %(organiser)s::text
   AND orders.status IN ('PENDING', 'PROCESSING') AND orders.dead_at IS NOT NULL;

-- name: tickets
-- The tickets of orders, in the order of the hall.
SELECT tickets.order_uuid, tickets.ticket_uuid, tickets.seat_id, tickets.section, tickets.section_number,
       tickets.row_label, tickets.number, tickets.position, tickets.accessible, tickets.price, tickets.code,
       tickets.voided_at
  FROM orders.tickets WHERE tickets.order_uuid = ANY (%(order_uuids)s::uuid[])
 ORDER BY tickets.order_uuid, tickets.section_number, tickets.position;

-- name: history
-- Every state that orders have been in.
SELECT history.order_uuid, history.previous_status, history.new_status, history.changed_at, history.notes
  FROM orders.history WHERE history.order_uuid = ANY (%(order_uuids)s::uuid[]) ORDER BY history.number;

-- name: ticket
-- One ticket of this buyer with its order and event.
SELECT tickets.ticket_uuid, tickets.order_uuid, tickets.section, tickets.section_number, tickets.row_label,
       tickets.number, tickets.position, tickets.accessible, tickets.price, tickets.code, tickets.picture,
       tickets.voided_at, orders.status, orders.currency, orders.event_id, events.title, events.category,
       events.venue, events.time_zone, events.starts_at, events.ends_at,
       (SELECT array_agg(siblings.ticket_uuid ORDER BY siblings.section_number, siblings.position)
          FROM orders.tickets AS siblings WHERE siblings.order_uuid = tickets.order_uuid) AS siblings
  FROM orders.tickets
  JOIN orders.orders ON orders.order_uuid = tickets.order_uuid
  JOIN catalog.events ON events.id = tickets.event_id
 WHERE tickets.ticket_uuid = %(ticket_uuid)s::uuid AND orders.buyer = %(buyer)s::text;

-- name: cancel
-- A buyer calls it off: only COMPLETED, before the event starts, with nobody admitted. Its tickets are void at once;
-- money and seats follow by the same road as everything else.
WITH cancelled AS (
    UPDATE orders.orders
       SET status = 'CANCELLED', changed_by = 'buyer', attempts = 0, retry_at = NULL, sent_at = now(), sends = 1
      FROM catalog.events
     WHERE orders.order_uuid = %(order_uuid)s::uuid AND orders.buyer = %(buyer)s::text
       AND orders.status = 'COMPLETED' AND events.id = orders.event_id AND events.starts_at > now()
       AND NOT EXISTS (SELECT FROM orders.tickets
                        WHERE tickets.order_uuid = orders.order_uuid AND tickets.admitted_at IS NOT NULL)
    RETURNING orders.order_uuid
), voided AS (
    UPDATE orders.tickets SET voided_at = now() FROM cancelled
     WHERE tickets.order_uuid = cancelled.order_uuid AND tickets.voided_at IS NULL
), told AS (
    INSERT INTO orders.outbox (order_uuid, kind) SELECT order_uuid, 'settle' FROM cancelled
)
SELECT order_uuid FROM cancelled;

-- name: call_off
-- The bank gave the money back and these rows do not know it: they are from a backup that is older than its books.
WITH cancelled AS (
    UPDATE orders.orders
       SET status = 'CANCELLED', changed_by = 'restore', attempts = 0, retry_at = NULL, sent_at = now(), sends = 1
     WHERE order_uuid = ANY (%(order_uuids)s::uuid[]) AND status = 'COMPLETED'
    RETURNING order_uuid
), voided AS (
    UPDATE orders.tickets SET voided_at = now() FROM cancelled
     WHERE tickets.order_uuid = cancelled.order_uuid AND tickets.voided_at IS NULL
), told AS (
    INSERT INTO orders.outbox (order_uuid, kind) SELECT order_uuid, 'settle' FROM cancelled
)
SELECT order_uuid FROM cancelled;

-- name: fail
-- An order that cannot be finished: FAILED with its reason, its tickets void, money and seats to follow.
WITH failed AS (
    UPDATE orders.orders
       SET status = 'FAILED', reason = %(reason)s::text, changed_by = %(by)s::text, attempts = 0,
           retry_at = NULL, dead_at = NULL, sent_at = now(), sends = 1
     WHERE orders.order_uuid = %(order_uuid)s::uuid AND orders.status IN ('PENDING', 'PROCESSING')
    RETURNING orders.order_uuid, orders.buyer, orders.status
), voided AS (
    UPDATE orders.tickets SET voided_at = now() FROM failed
     WHERE tickets.order_uuid = failed.order_uuid AND tickets.voided_at IS NULL
), told AS (
    INSERT INTO orders.outbox (order_uuid, kind) SELECT order_uuid, 'settle' FROM failed
)
SELECT order_uuid, buyer, status FROM failed;

-- name: start
-- Orders whose tickets are to be made now: PROCESSING from here on, in a second run too.
UPDATE orders.orders SET status = 'PROCESSING', changed_by = 'worker', retry_at = NULL
 WHERE order_uuid = ANY (%(order_uuids)s::uuid[]) AND status IN ('PENDING', 'PROCESSING') AND dead_at IS NULL
RETURNING order_uuid, buyer, total_amount;

-- name: to_draw
-- What the tickets of these orders say.
SELECT tickets.ticket_uuid, tickets.order_uuid, tickets.event_id, tickets.issue
  FROM orders.tickets WHERE tickets.order_uuid = ANY (%(order_uuids)s::uuid[]) AND tickets.code IS NULL;

-- name: finish
-- Codes and pictures are there, so the orders are COMPLETED; only those that were PROCESSING, and only whole ones.
WITH drawn AS (
    SELECT * FROM unnest(%(ticket_uuids)s::uuid[], %(codes)s::text[], %(pictures)s::bytea[])
                  AS one (ticket_uuid, code, picture)
), done AS (
    UPDATE orders.orders SET status = 'COMPLETED', changed_by = 'worker', completed_at = now()
     WHERE orders.order_uuid = ANY (%(order_uuids)s::uuid[]) AND orders.status = 'PROCESSING'
       AND NOT EXISTS (SELECT FROM orders.tickets
                        WHERE tickets.order_uuid = orders.order_uuid AND tickets.code IS NULL
                          AND tickets.ticket_uuid NOT IN (SELECT ticket_uuid FROM drawn))
    RETURNING orders.order_uuid, orders.buyer, orders.status
), kept AS (
    UPDATE orders.tickets SET code = drawn.code, picture = drawn.picture
      FROM drawn, done
     WHERE tickets.ticket_uuid = drawn.ticket_uuid AND tickets.order_uuid = done.order_uuid
       AND tickets.code IS NULL
)
SELECT order_uuid, buyer, status FROM done;

-- name: keep_drawn
-- Tickets drawn so far, of orders that are still PROCESSING; nobody is shown a code before its order is COMPLETED.
WITH drawn AS (
    SELECT * FROM unnest(%(ticket_uuids)s::uuid[], %(codes)s::text[], %(pictures)s::bytea[])
                  AS one (ticket_uuid, code, picture)
), kept AS (
    UPDATE orders.tickets SET code = drawn.code, picture = drawn.picture
      FROM drawn, orders.orders
     WHERE tickets.ticket_uuid = drawn.ticket_uuid AND tickets.code IS NULL
       AND orders.order_uuid = tickets.order_uuid AND orders.status = 'PROCESSING'
    RETURNING orders.order_uuid, orders.buyer, orders.status
)
SELECT DISTINCT order_uuid, buyer, status FROM kept;

-- name: try_later
-- A job could not finish these: again after 1, 2, 4 s and up to a quarter more, so that they do not all come at once; after that an unfinished order is dead-lettered, while one that
-- is only to be settled is tried for ever, ever more seldom.
UPDATE orders.orders
   SET attempts = attempts + 1, changed_by = 'worker',
       retry_at = CASE WHEN attempts < 3 THEN now() + make_interval(secs => 2 ^ attempts * (1 + random() / 4))
                       WHEN status IN ('FAILED', 'CANCELLED')
                       THEN now() + make_interval(secs => least(30 * 2 ^ (attempts - 3), 3600)) END,
       dead_at = CASE WHEN attempts >= 3 AND status IN ('PENDING', 'PROCESSING') THEN now() END,
       dead_reason = %(reason)s::text
 WHERE order_uuid = ANY (%(order_uuids)s::uuid[]) AND dead_at IS NULL
   AND (status IN ('PENDING', 'PROCESSING') OR status IN ('FAILED', 'CANCELLED') AND settled_at IS NULL)
RETURNING order_uuid, dead_at;

-- name: put_off
-- Nobody was asked, so no try is used up: again in two to three seconds.
UPDATE orders.orders SET retry_at = now() + make_interval(secs => 2 + random()), changed_by = 'worker'
 WHERE order_uuid = ANY (%(order_uuids)s::uuid[]) AND dead_at IS NULL
   AND (status IN ('PENDING', 'PROCESSING') OR status IN ('FAILED', 'CANCELLED') AND settled_at IS NULL)
RETURNING order_uuid;

-- name: dead
-- Orders that nothing more is tried for until an operator says so or their deadline passes, the oldest first.
SELECT orders.order_uuid, orders.status, orders.dead_at, orders.dead_reason, orders.created_at, orders.sends, orders.total_amount,
       orders.currency, events.title, orders.event_id
  FROM orders.orders JOIN catalog.events ON events.id = orders.event_id
 WHERE orders.status IN ('PENDING', 'PROCESSING') AND orders.dead_at IS NOT NULL
 ORDER BY orders.dead_at LIMIT %(most)s::integer;

-- name: dead_letter
-- One of them.
SELECT orders.*, events.title FROM orders.orders JOIN catalog.events ON events.id = orders.event_id
 WHERE orders.order_uuid = %(order_uuid)s::uuid AND orders.dead_at IS NOT NULL
   AND orders.status IN ('PENDING', 'PROCESSING');

-- name: status
-- What an order is; nothing where there is none.
SELECT status, dead_at FROM orders.orders WHERE order_uuid = %(order_uuid)s::uuid;

-- name: revive
-- A dead letter is tried anew, from its first try on. The sweeper sends it.
UPDATE orders.orders SET dead_at = NULL, attempts = 0, sends = 1, retry_at = now(), changed_by = 'operator'
 WHERE order_uuid = %(order_uuid)s::uuid AND dead_at IS NOT NULL AND status IN ('PENDING', 'PROCESSING')
RETURNING order_uuid;

-- name: to_settle
-- Cancelled and failed orders that still have money or seats to give back.
SELECT orders.order_uuid, orders.buyer, orders.status, orders.total_amount,
       (SELECT array_agg(tickets.seat_id ORDER BY tickets.seat_id) FROM orders.tickets
         WHERE tickets.order_uuid = orders.order_uuid) AS seat_ids
  FROM orders.orders
 WHERE orders.order_uuid = ANY (%(order_uuids)s::uuid[]) AND orders.status IN ('FAILED', 'CANCELLED')
   AND orders.settled_at IS NULL;

-- name: settled
-- Money and seats are back.
UPDATE orders.orders SET settled_at = now(), changed_by = 'worker', retry_at = NULL
 WHERE order_uuid = %(order_uuid)s::uuid AND settled_at IS NULL AND status IN ('FAILED', 'CANCELLED')
RETURNING order_uuid, buyer, status;

-- name: send_again
-- Hand to the outbox what waits for its next try or was forgotten on the way: unfinished or unsettled, not
-- dead-lettered, not in the outbox now. Each gets a job of its own, and the pause doubles.
WITH due AS (
    SELECT orders.order_uuid, orders.status FROM orders.orders
     WHERE (orders.status IN ('PENDING', 'PROCESSING') AND orders.dead_at IS NULL
            OR orders.status IN ('FAILED', 'CANCELLED') AND orders.settled_at IS NULL)
       AND (orders.retry_at <= now()
            OR orders.retry_at IS NULL
               AND orders.sent_at < now() - make_interval(secs => %(after)s::double precision
                                                                  * 2 ^ least(orders.sends - 1, 7)))
       AND NOT EXISTS (SELECT FROM orders.outbox WHERE outbox.order_uuid = orders.order_uuid)
     ORDER BY orders.sent_at LIMIT %(most)s::integer FOR UPDATE SKIP LOCKED
), sent AS (
    UPDATE orders.orders
       SET sent_at = now(), retry_at = NULL,
           sends = CASE WHEN orders.retry_at IS NULL THEN least(orders.sends + 1, 1000) ELSE orders.sends END
      FROM due WHERE orders.order_uuid = due.order_uuid
)
INSERT INTO orders.outbox (order_uuid, kind, alone)
SELECT order_uuid, CASE WHEN status IN ('PENDING', 'PROCESSING') THEN 'make' ELSE 'settle' END, true FROM due
RETURNING order_uuid;

-- name: overdue
-- Orders whose deadline has passed and that are dead-lettered, put off, or begun and sent so often that whoever works on
-- them dies of it.
SELECT order_uuid FROM orders.orders
 WHERE status IN ('PENDING', 'PROCESSING') AND (dead_at IS NOT NULL OR status = 'PROCESSING' AND (sends > 5 OR retry_at IS NOT NULL))
   AND created_at < now() - make_interval(secs => %(deadline)s::double precision)
 ORDER BY created_at LIMIT %(most)s::integer;

-- name: orphaned_seats
-- Seats SOLD for an order_uuid that has neither an order that claims them nor a purchase under way.
SELECT seats.order_uuid, array_agg(seats.id ORDER BY seats.id) AS seat_ids
  FROM catalog.seats
 WHERE seats.order_uuid IS NOT NULL
   AND NOT EXISTS (SELECT FROM orders.orders WHERE orders.order_uuid = seats.order_uuid)
   AND NOT EXISTS (SELECT FROM orders.purchases
                    WHERE purchases.order_uuid = seats.order_uuid AND purchases.step <> 'REFUSED')
 GROUP BY seats.order_uuid LIMIT %(most)s::integer;
