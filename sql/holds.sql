-- What a holder may read of their own: the cart.

-- name: cart
-- The seats that this holder has now for the event. The fence goes to seatlock and nowhere else; `read_at` lets a page
-- count down in the database's time.
SELECT seats.id, sections.name AS section, seats.section_number, seats.row_label, seats.number, seats.position,
       seats.rank, seats.accessible, seats.price, seats.status, seats.held_until, seats.fence, seats.extended, now() AS read_at
  FROM catalog.seats
  JOIN catalog.sections ON sections.event_id = seats.event_id AND sections.number = seats.section_number
 WHERE seats.status = 'LOCKED' AND seats.holder = %(holder)s::text AND seats.event_id = %(event_id)s::bigint
   AND seats.held_until > now()
 ORDER BY seats.section_number, seats.position;

-- name: owned
-- How many seats of an event an account has tickets for.
SELECT count(*) AS seats FROM orders.tickets JOIN orders.orders USING (order_uuid)
 WHERE orders.buyer = %(buyer)s::text AND orders.event_id = %(event_id)s::bigint AND tickets.voided_at IS NULL;
