-- Fewer statements from tap to order, and plans that cannot go wrong.
--
-- A seat's id decides alone. With `event_id = …` beside `id = ANY (…)` the planner may walk a whole hall by its event to
-- find one seat (0.4 ms in a hall of 2,000, and worse in a larger one); so the event is compared after the row is found.

-- That money is reserved is the bank's row, that seats are SOLD is seatlock's: the purchase need not say either again.
UPDATE orders.purchases SET step = 'HELD' WHERE step IN ('AUTHORISED', 'COMMITTED');
ALTER TABLE orders.purchases
    DROP CONSTRAINT purchases_step_check,
    DROP CONSTRAINT held_purchases_know_their_amount,
    ADD CONSTRAINT purchases_step_check CHECK (step IN ('BEGUN', 'HELD', 'PLACED', 'REFUSING', 'REFUSED')),
    ADD CONSTRAINT held_purchases_know_their_amount CHECK (step NOT IN ('HELD', 'PLACED') OR amount IS NOT NULL);

-- A key that was given up is free again once its purchase is undone, which the index itself can say.
DROP INDEX orders.one_purchase_a_key;
CREATE UNIQUE INDEX one_purchase_a_key ON orders.purchases (buyer, idempotency_key)
    WHERE NOT (key_given_up AND step = 'REFUSED');

DROP FUNCTION catalog.lock_seats(bigint, bigint[], text, double precision, integer);
ALTER TYPE catalog.claim
    ADD ATTRIBUTE section text, ADD ATTRIBUTE section_number smallint, ADD ATTRIBUTE row_label text,
    ADD ATTRIBUTE number text, ADD ATTRIBUTE position smallint, ADD ATTRIBUTE accessible boolean;

CREATE FUNCTION catalog.refusal(reason text, of_seat bigint DEFAULT NULL, held_already integer DEFAULT NULL)
    RETURNS catalog.claim
    LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT ROW(reason, of_seat, NULL, NULL, NULL, held_already, NULL, NULL, NULL, NULL, NULL, NULL)::catalog.claim;
END;

-- Hold all of the wanted seats or none: a row a seat with its labels, or a row a reason.
CREATE FUNCTION catalog.lock_seats(
    wanted_event bigint, wanted bigint[], claimant text, hold_seconds double precision, held_max integer
) RETURNS SETOF catalog.claim
    LANGUAGE plpgsql AS $$
DECLARE
    seen record;
    locked record;
    moment timestamptz;
BEGIN
    -- A look without a lock turns most losers of a rush away before they cost the winners anything.
    SELECT events.status, coalesce(events.sales_end_at, events.starts_at) > clock_timestamp() AS open, looked.*
      INTO seen
      FROM catalog.events,
           (SELECT count(*) FILTER (WHERE s.event_id = wanted_event) AS of_event,
                   array_agg(s.id ORDER BY s.id) FILTER
                       (WHERE NOT (s.status = 'AVAILABLE' OR s.status = 'LOCKED'
                                   AND (s.holder = claimant OR s.held_until <= clock_timestamp()))) AS gone,
                   bool_and(s.status = 'LOCKED' AND s.holder = claimant AND s.held_until > clock_timestamp()) AS mine
              FROM catalog.seats s WHERE s.id = ANY (wanted)) AS looked
     WHERE events.id = wanted_event;
    IF NOT FOUND OR seen.status = 'DRAFT' THEN
        RETURN QUERY SELECT (catalog.refusal('event_not_found')).*;
        RETURN;
    END IF;
    IF seen.of_event < cardinality(wanted) THEN
        RETURN QUERY SELECT (catalog.refusal('invalid_seats', w.id)).* FROM unnest(wanted) AS w (id)
                      WHERE NOT EXISTS (SELECT FROM catalog.seats s WHERE s.id = w.id AND s.event_id = wanted_event);
        RETURN;
    END IF;
    -- After the sale's end a hold that lives may still be shown and paid; nothing new is held.
    IF seen.status <> 'PUBLISHED' OR NOT (seen.open OR seen.mine) THEN
        RETURN QUERY SELECT (catalog.refusal('not_on_sale')).*;
        RETURN;
    END IF;
    IF seen.gone IS NOT NULL THEN
        RETURN QUERY SELECT (catalog.refusal('seat_unavailable', g)).* FROM unnest(seen.gone) AS g;
        RETURN;
    END IF;

    -- One holder's parallel claims queue here, so that two tabs cannot pass the cap together. Rows are locked in id
    -- order: buyers with overlapping wishes wait for each other instead of deadlocking.
    PERFORM pg_advisory_xact_lock(hashtextextended(claimant, wanted_event));
    moment := clock_timestamp();
    SELECT array_agg(l.id ORDER BY l.id) FILTER (WHERE NOT l.takeable) AS gone,
           array_agg(l.id ORDER BY l.id) FILTER (WHERE NOT l.mine) AS fresh,
           (SELECT count(*) FROM catalog.seats s
             WHERE s.holder = claimant AND s.event_id = wanted_event AND s.status = 'LOCKED'
               AND s.held_until > moment AND s.id <> ALL (wanted)) AS held
      INTO locked
      FROM (SELECT s.id,
                   s.status = 'AVAILABLE'
                   OR s.status = 'LOCKED' AND (s.holder = claimant OR s.held_until <= clock_timestamp()) AS takeable,
                   s.status = 'LOCKED' AND s.holder = claimant AND s.held_until > clock_timestamp() AS mine
              FROM catalog.seats s WHERE s.id = ANY (wanted) ORDER BY s.id FOR UPDATE) AS l;
    IF locked.held + cardinality(wanted) > held_max THEN
        RETURN QUERY SELECT (catalog.refusal('too_many_seats', NULL, locked.held::integer)).*;
        RETURN;
    END IF;
    IF locked.gone IS NOT NULL THEN
        RETURN QUERY SELECT (catalog.refusal('seat_unavailable', g)).* FROM unnest(locked.gone) AS g;
        RETURN;
    END IF;

    -- Seats that this holder has already keep their clock and fence; so does one given back and taken again.
    IF locked.fresh IS NOT NULL THEN
        moment := clock_timestamp();
        WITH changed AS (
            UPDATE catalog.seats s
               SET status = 'LOCKED', holder = claimant, fence = s.fence + 1,
                   held_until = CASE WHEN s.given_back_by = claimant AND s.given_back_until > moment
                                     THEN s.given_back_until
                                     ELSE moment + make_interval(secs => hold_seconds) END,
                   extended = s.extended AND s.given_back_by = claimant AND s.given_back_until > moment,
                   given_back_by = NULL, given_back_until = NULL
             WHERE s.id = ANY (locked.fresh)
            RETURNING s.event_id, s.section_number, s.position
        )
        INSERT INTO catalog.seat_changes (event_id, section_number, positions, state)
        SELECT c.event_id, c.section_number, array_agg(c.position ORDER BY c.position), 'h' FROM changed c
         GROUP BY c.event_id, c.section_number ORDER BY c.event_id, c.section_number;
    END IF;
    RETURN QUERY SELECT 'held', s.id, s.held_until, s.fence, s.price, NULL::integer, sections.name, s.section_number,
                        s.row_label, s.number, s.position, s.accessible
                   FROM catalog.seats s
                   JOIN catalog.sections ON sections.event_id = s.event_id AND sections.number = s.section_number
                  WHERE s.id = ANY (wanted) ORDER BY s.id;
END
$$;

-- As before, but changing seats and telling of it are one statement.
CREATE OR REPLACE FUNCTION catalog.commit_seats(seat_ids bigint[], fences bigint[], claimant text, for_order uuid)
    RETURNS SETOF bigint
    LANGUAGE plpgsql AS $$
DECLARE
    refused bigint[];
    fresh bigint[];
BEGIN
    SELECT array_agg(w.id ORDER BY w.id) FILTER (WHERE NOT coalesce(l.done OR l.mine, false)),
           array_agg(w.id ORDER BY w.id) FILTER (WHERE NOT l.done)
      INTO refused, fresh
      FROM unnest(seat_ids, fences) AS w (id, fence)
      LEFT JOIN (SELECT s.id, s.fence, s.status = 'SOLD' AND s.order_uuid = for_order AS done,
                        s.status IN ('LOCKED', 'AVAILABLE') AND s.holder = claimant
                        AND s.fence = ANY (fences) AS mine
                   FROM catalog.seats s WHERE s.id = ANY (seat_ids) ORDER BY s.id FOR UPDATE) AS l
        ON l.id = w.id AND (l.done OR l.fence = w.fence);
    IF refused IS NOT NULL THEN
        RETURN QUERY SELECT unnest(refused);
        RETURN;
    END IF;
    IF fresh IS NOT NULL THEN
        WITH changed AS (
            UPDATE catalog.seats s SET status = 'SOLD', order_uuid = for_order
             WHERE s.id = ANY (fresh)
            RETURNING s.event_id, s.section_number, s.position
        )
        INSERT INTO catalog.seat_changes (event_id, section_number, positions, state)
        SELECT c.event_id, c.section_number, array_agg(c.position ORDER BY c.position), 's' FROM changed c
         GROUP BY c.event_id, c.section_number ORDER BY c.event_id, c.section_number;
    END IF;
END
$$;
