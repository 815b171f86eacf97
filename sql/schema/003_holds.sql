-- How seats change hands. Each function is one call and one transaction of seatlock. They are plpgsql because each
-- statement inside sees what was committed before it began: a count taken after a lock is then a true count.

CREATE FUNCTION catalog.note_changes(seat_ids bigint[], new_state text) RETURNS void
    LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO catalog.seat_changes (event_id, section_number, positions, state)
    SELECT event_id, section_number, array_agg(position ORDER BY position), new_state
      FROM catalog.seats WHERE id = ANY (seat_ids)
     GROUP BY event_id, section_number
     ORDER BY event_id, section_number;
END;

CREATE TYPE catalog.claim AS (
    outcome text,
    seat_id bigint,
    held_until timestamptz,
    fence bigint,
    price numeric,
    held integer
);
COMMENT ON TYPE catalog.claim IS
    'outcome: held | event_not_found | invalid_seats | not_on_sale | too_many_seats | seat_unavailable';

CREATE FUNCTION catalog.lock_seats(
    wanted_event bigint, wanted bigint[], claimant text, hold_seconds double precision, held_max integer
) RETURNS SETOF catalog.claim
    LANGUAGE plpgsql AS $$
DECLARE
    sale record;
    gone bigint[];
    held_already integer;
    moment timestamptz;
    fresh bigint[];
BEGIN
    SELECT events.status, coalesce(events.sales_end_at, events.starts_at) > clock_timestamp() AS open
      INTO sale FROM catalog.events WHERE events.id = wanted_event;
    IF NOT FOUND OR sale.status = 'DRAFT' THEN
        RETURN NEXT ROW('event_not_found', NULL, NULL, NULL, NULL, NULL)::catalog.claim;
        RETURN;
    END IF;

    SELECT array_agg(w.id) INTO gone FROM unnest(wanted) AS w (id)
     WHERE NOT EXISTS (SELECT FROM catalog.seats s WHERE s.id = w.id AND s.event_id = wanted_event);
    IF gone IS NOT NULL THEN
        RETURN QUERY SELECT 'invalid_seats', g, NULL::timestamptz, NULL::bigint, NULL::numeric, NULL::integer
                       FROM unnest(gone) AS g;
        RETURN;
    END IF;

    -- A look without a lock turns most losers of a rush away before they cost the winners anything.
    SELECT array_agg(s.id ORDER BY s.id) INTO gone FROM catalog.seats s
     WHERE s.id = ANY (wanted)
       AND NOT (s.status = 'AVAILABLE'
                OR s.status = 'LOCKED' AND (s.holder = claimant OR s.held_until <= clock_timestamp()));
    IF gone IS NULL AND (sale.status <> 'PUBLISHED' OR NOT sale.open) THEN
        -- After the sale's end a hold that lives may still be shown and paid; nothing new is held.
        PERFORM FROM catalog.seats s
          WHERE s.id = ANY (wanted)
            AND NOT (s.status = 'LOCKED' AND s.holder = claimant AND s.held_until > clock_timestamp());
        IF FOUND OR sale.status <> 'PUBLISHED' THEN
            RETURN NEXT ROW('not_on_sale', NULL, NULL, NULL, NULL, NULL)::catalog.claim;
            RETURN;
        END IF;
    ELSIF gone IS NOT NULL AND (sale.status <> 'PUBLISHED' OR NOT sale.open) THEN
        RETURN NEXT ROW('not_on_sale', NULL, NULL, NULL, NULL, NULL)::catalog.claim;
        RETURN;
    END IF;

    IF gone IS NULL THEN
        -- One holder's parallel claims queue here, so that two tabs cannot pass the cap together.
        PERFORM pg_advisory_xact_lock(hashtextextended(claimant, wanted_event));
        moment := clock_timestamp();
        SELECT count(*) INTO held_already FROM catalog.seats s
         WHERE s.holder = claimant AND s.event_id = wanted_event AND s.status = 'LOCKED'
           AND s.held_until > moment AND s.id <> ALL (wanted);
        IF held_already + cardinality(wanted) > held_max THEN
            RETURN NEXT ROW('too_many_seats', NULL, NULL, NULL, NULL, held_already)::catalog.claim;
            RETURN;
        END IF;

        -- Rows are locked in id order: buyers with overlapping wishes wait for each other instead of deadlocking.
        SELECT array_agg(l.id ORDER BY l.id) FILTER (WHERE NOT l.takeable),
               array_agg(l.id ORDER BY l.id) FILTER (WHERE NOT l.mine)
          INTO gone, fresh
          FROM (SELECT s.id,
                       s.status = 'AVAILABLE'
                       OR s.status = 'LOCKED' AND (s.holder = claimant OR s.held_until <= clock_timestamp())
                           AS takeable,
                       s.status = 'LOCKED' AND s.holder = claimant AND s.held_until > clock_timestamp() AS mine
                  FROM catalog.seats s WHERE s.id = ANY (wanted) ORDER BY s.id FOR UPDATE) AS l;
    END IF;
    IF gone IS NOT NULL THEN
        RETURN QUERY SELECT 'seat_unavailable', g, NULL::timestamptz, NULL::bigint, NULL::numeric, NULL::integer
                       FROM unnest(gone) AS g;
        RETURN;
    END IF;

    -- Seats that this holder has already keep their clock and fence; so does one given back and taken again.
    IF fresh IS NOT NULL THEN
        moment := clock_timestamp();
        UPDATE catalog.seats s
           SET status = 'LOCKED', holder = claimant, fence = s.fence + 1,
               held_until = CASE WHEN s.given_back_by = claimant AND s.given_back_until > moment
                                 THEN s.given_back_until
                                 ELSE moment + make_interval(secs => hold_seconds) END,
               extended = s.extended AND s.given_back_by = claimant AND s.given_back_until > moment,
               given_back_by = NULL, given_back_until = NULL
         WHERE s.id = ANY (fresh);
        PERFORM catalog.note_changes(fresh, 'h');
    END IF;
    RETURN QUERY SELECT 'held', s.id, s.held_until, s.fence, s.price, NULL::integer
                   FROM catalog.seats s WHERE s.id = ANY (wanted) ORDER BY s.id;
END
$$;

-- Give held seats back. Only the holder's own claim under its own fence; anything else stays as it is.
CREATE FUNCTION catalog.unlock_held(seat_ids bigint[], fences bigint[], claimant text) RETURNS SETOF bigint
    LANGUAGE plpgsql AS $$
DECLARE
    freed bigint[];
BEGIN
    WITH mine AS (
        SELECT s.id FROM catalog.seats s JOIN unnest(seat_ids, fences) AS w (id, fence) USING (id, fence)
         WHERE s.status = 'LOCKED' AND s.holder = claimant
         ORDER BY s.id FOR UPDATE OF s
    ), changed AS (
        UPDATE catalog.seats s
           SET status = 'AVAILABLE', holder = NULL, held_until = NULL, fence = s.fence + 1,
               given_back_by = claimant, given_back_until = s.held_until
          FROM mine WHERE s.id = mine.id
        RETURNING s.id
    )
    SELECT array_agg(id ORDER BY id) INTO freed FROM changed;
    IF freed IS NOT NULL THEN
        PERFORM catalog.note_changes(freed, 'f');
    END IF;
    RETURN QUERY SELECT unnest(freed);
END
$$;

-- Put an order's seats back on sale (cancelled, compensated). Touches only seats SOLD for this very order.
CREATE FUNCTION catalog.unlock_sold(seat_ids bigint[], of_order uuid) RETURNS SETOF bigint
    LANGUAGE plpgsql AS $$
DECLARE
    freed bigint[];
BEGIN
    WITH sold AS (
        SELECT s.id FROM catalog.seats s
         WHERE s.id = ANY (seat_ids) AND s.status = 'SOLD' AND s.order_uuid = of_order
         ORDER BY s.id FOR UPDATE
    ), changed AS (
        UPDATE catalog.seats s
           SET status = 'AVAILABLE', holder = NULL, held_until = NULL, order_uuid = NULL,
               fence = s.fence + 1, extended = false
          FROM sold WHERE s.id = sold.id
        RETURNING s.id
    )
    SELECT array_agg(id ORDER BY id) INTO freed FROM changed;
    IF freed IS NOT NULL THEN
        PERFORM catalog.note_changes(freed, 'f');
    END IF;
    RETURN QUERY SELECT unnest(freed);
END
$$;

-- Make held seats SOLD for an order: all or none, and the same answer when asked again. A lapsed hold still counts
-- while its fence is the seat's, because then nobody has claimed the seat since. Answers the refused ids.
CREATE FUNCTION catalog.commit_seats(seat_ids bigint[], fences bigint[], claimant text, for_order uuid)
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
        UPDATE catalog.seats s SET status = 'SOLD', order_uuid = for_order
         WHERE s.id = ANY (fresh);
        PERFORM catalog.note_changes(fresh, 's');
    END IF;
END
$$;

-- Half as long again, once a seat and holder. Answers the seats that now end later.
CREATE FUNCTION catalog.extend_holds(seat_ids bigint[], claimant text, more_seconds double precision)
    RETURNS TABLE (seat_id bigint, held_until timestamptz)
    LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    WITH mine AS (
        SELECT s.id FROM catalog.seats s
         WHERE s.id = ANY (seat_ids) AND s.status = 'LOCKED' AND s.holder = claimant
           AND s.held_until > clock_timestamp()
         ORDER BY s.id FOR UPDATE
    )
    UPDATE catalog.seats s
       SET held_until = CASE WHEN s.extended THEN s.held_until
                             ELSE s.held_until + make_interval(secs => more_seconds) END,
           extended = true
      FROM mine WHERE s.id = mine.id
    RETURNING s.id, s.held_until;
END
$$;

-- A visitor signed in: the living holds go to the account with their clock and fence. What would pass the cap is
-- released and named, the latest ones first, since the earliest is nearest to being paid.
CREATE FUNCTION catalog.move_holds(from_holder text, to_holder text, held_max integer)
    RETURNS TABLE (seat_id bigint, event_id bigint, moved boolean)
    LANGUAGE plpgsql AS $$
DECLARE
    one_event bigint;
    room integer;
    kept bigint[];
    freed bigint[];
BEGIN
    FOR one_event IN
        SELECT DISTINCT s.event_id FROM catalog.seats s
         WHERE s.holder = from_holder AND s.status = 'LOCKED' ORDER BY s.event_id
    LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended(to_holder, one_event));
        SELECT held_max - count(*) INTO room FROM catalog.seats s
         WHERE s.holder = to_holder AND s.event_id = one_event AND s.status = 'LOCKED'
           AND s.held_until > clock_timestamp();
        SELECT array_agg(l.id) FILTER (WHERE l.place <= room), array_agg(l.id) FILTER (WHERE l.place > room)
          INTO kept, freed
          FROM (SELECT living.id, row_number() OVER (ORDER BY living.held_until, living.id) AS place
                  FROM (SELECT s.id, s.held_until FROM catalog.seats s
                         WHERE s.holder = from_holder AND s.event_id = one_event AND s.status = 'LOCKED'
                           AND s.held_until > clock_timestamp()
                         ORDER BY s.id FOR UPDATE) AS living) AS l;
        UPDATE catalog.seats s SET holder = to_holder WHERE s.id = ANY (kept);
        IF freed IS NOT NULL THEN
            UPDATE catalog.seats s
               SET status = 'AVAILABLE', holder = NULL, held_until = NULL, fence = s.fence + 1
             WHERE s.id = ANY (freed);
            PERFORM catalog.note_changes(freed, 'f');
        END IF;
        RETURN QUERY SELECT m.id, one_event, true FROM unnest(kept) AS m (id)
                     UNION ALL SELECT m.id, one_event, false FROM unnest(freed) AS m (id);
    END LOOP;
END
$$;

-- Show open maps that holds have run out. Only the status changes: the hold itself ended by time alone, and its
-- fence must still let a payment through that began in time, as long as nobody else claims the seat.
CREATE FUNCTION catalog.release_expired(seats_max integer) RETURNS SETOF bigint
    LANGUAGE plpgsql AS $$
DECLARE
    freed bigint[];
BEGIN
    WITH lapsed AS (
        SELECT s.id FROM catalog.seats s
         WHERE s.status = 'LOCKED' AND s.held_until <= clock_timestamp()
         ORDER BY s.id LIMIT seats_max FOR UPDATE SKIP LOCKED
    ), changed AS (
        UPDATE catalog.seats s SET status = 'AVAILABLE' FROM lapsed WHERE s.id = lapsed.id RETURNING s.id
    )
    SELECT array_agg(id ORDER BY id) INTO freed FROM changed;
    IF freed IS NOT NULL THEN
        PERFORM catalog.note_changes(freed, 'f');
    END IF;
    RETURN QUERY SELECT unnest(freed);
END
$$;
