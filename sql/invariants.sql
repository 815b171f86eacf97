-- What must be true, beyond what the tables themselves refuse: at any moment but for the last, which says when not.

-- name: broken
-- The rules that do not hold now, each with how many rows break it.
WITH rules (rule, rows) AS (
    SELECT 'an order in progress or completed has its seats SOLD for it', count(*)
      FROM orders.tickets JOIN orders.orders USING (order_uuid)
      LEFT JOIN catalog.seats ON seats.id = tickets.seat_id AND seats.order_uuid = tickets.order_uuid
     WHERE orders.status IN ('PENDING', 'PROCESSING', 'COMPLETED') AND tickets.voided_at IS NULL
       AND seats.id IS NULL
    UNION ALL
    SELECT 'a live ticket belongs to an order that lives', count(*)
      FROM orders.tickets JOIN orders.orders USING (order_uuid)
     WHERE tickets.voided_at IS NULL AND orders.status IN ('FAILED', 'CANCELLED')
    UNION ALL
    SELECT 'a completed order has a code on every ticket', count(*)
      FROM orders.orders JOIN orders.tickets USING (order_uuid)
     WHERE orders.status = 'COMPLETED' AND tickets.code IS NULL
    UNION ALL
    SELECT 'an order has a ticket for each seat of its purchase', count(*)
      FROM orders.orders JOIN orders.purchases USING (order_uuid)
     WHERE cardinality(purchases.seat_ids)
           <> (SELECT count(*) FROM orders.tickets WHERE tickets.order_uuid = orders.order_uuid)
    UNION ALL
    SELECT 'a placed purchase has its order, and only a placed one', count(*)
      FROM orders.purchases FULL JOIN orders.orders USING (order_uuid)
     WHERE (purchases.step IS NOT DISTINCT FROM 'PLACED') <> (orders.order_uuid IS NOT NULL)
    UNION ALL
    SELECT 'the tickets of an order add up to its total', count(*)
      FROM (SELECT orders.order_uuid FROM orders.orders JOIN orders.tickets USING (order_uuid)
             GROUP BY orders.order_uuid HAVING sum(tickets.price) <> orders.total_amount) AS wrong
    UNION ALL
    SELECT 'a ticket names a seat of its event', count(*)
      FROM orders.tickets LEFT JOIN catalog.seats ON seats.id = tickets.seat_id
     WHERE seats.event_id IS DISTINCT FROM tickets.event_id
    UNION ALL
    SELECT 'orders and purchases name events that exist', count(*)
      FROM (SELECT event_id FROM orders.orders UNION SELECT event_id FROM orders.purchases) AS named
     WHERE NOT EXISTS (SELECT FROM catalog.events WHERE events.id = named.event_id)
    UNION ALL
    -- A seat comes back last: an order that ended has it until it is settled. One that a commit which arrived too late
    -- left SOLD for nothing breaks this rule for the seconds until the sweeper frees it.
    SELECT 'a SOLD seat is wanted by a purchase under way or an order that is not undone', count(*)
      FROM catalog.seats
     WHERE seats.order_uuid IS NOT NULL
       AND NOT EXISTS (SELECT FROM orders.purchases
                        WHERE purchases.order_uuid = seats.order_uuid AND seats.id = ANY (purchases.seat_ids)
                          AND purchases.step NOT IN ('PLACED', 'REFUSED'))
       AND NOT EXISTS (SELECT FROM orders.tickets JOIN orders.orders USING (order_uuid)
                        WHERE tickets.order_uuid = seats.order_uuid AND tickets.seat_id = seats.id
                          AND (tickets.voided_at IS NULL
                               OR orders.status IN ('FAILED', 'CANCELLED') AND orders.settled_at IS NULL))
)
SELECT rule, rows FROM rules WHERE rows > 0;
