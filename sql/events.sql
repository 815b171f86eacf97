-- What anybody may read: the list of events, one event with its sections, a section's seats.

-- name: page
-- One page of the published events that have not ended, from the cursor on. The order is one number and the id, both
-- turned round for a descending list, so a single comparison resumes it and events of equal date or price are told apart.
-- A search that is nothing but stop words or signs is looked for as it stands.
WITH terms AS (
    SELECT catalog.words_query(%(q)s::text, %(before)s::text, %(beginning)s::text) AS query
), found AS (
    SELECT events.*, cheapest.price_from,
           %(direction)s::integer * CASE WHEN %(by_price)s::boolean THEN coalesce(cheapest.price_from, 0)
                                         ELSE extract(epoch FROM events.starts_at) END AS place,
           %(direction)s::integer * events.id AS tie
      FROM catalog.events, terms,
           LATERAL (SELECT min(sections.price) AS price_from
                      FROM catalog.sections WHERE sections.event_id = events.id) AS cheapest
     WHERE events.status = 'PUBLISHED' AND events.ends_at > now()
       AND (%(category)s::text = '' OR events.category = %(category)s::text)
       AND (%(q)s::text = '' OR events.search @@ terms.query
            OR numnode(terms.query) = 0
               AND position(catalog.fold(%(q)s::text) IN catalog.fold(events.title || ' ' || events.venue)) > 0)
), chosen AS (
    SELECT * FROM found
     WHERE %(after_place)s::numeric IS NULL
        OR (place, tie) > (%(after_place)s::numeric, %(direction)s::integer * %(after_id)s::bigint)
     ORDER BY place, tie LIMIT %(limit)s::integer
)
SELECT chosen.id, chosen.title, chosen.description, chosen.category, chosen.venue, chosen.time_zone,
       chosen.starts_at, chosen.ends_at, coalesce(chosen.sales_end_at, chosen.starts_at) AS sales_end_at,
       chosen.status, sale.open AS on_sale, chosen.ends_at <= now() AS over, chosen.price_from, chosen.currency,
       counted.total_seats, CASE WHEN sale.open THEN counted.takeable ELSE 0 END AS available_seats,
       chosen.place::text AS place
  FROM chosen,
       LATERAL (SELECT coalesce(chosen.sales_end_at, chosen.starts_at) > now() AS open) AS sale,
       LATERAL (SELECT count(*) AS total_seats,
                       count(*) FILTER (WHERE seats.status = 'AVAILABLE'
                                           OR seats.status = 'LOCKED' AND seats.held_until <= now()) AS takeable
                  FROM catalog.seats WHERE seats.event_id = chosen.id) AS counted
 ORDER BY chosen.place, chosen.tie;

-- name: counts
-- How many events of each category a search finds.
WITH terms AS (
    SELECT catalog.words_query(%(q)s::text, %(before)s::text, %(beginning)s::text) AS query
)
SELECT events.category, count(*) AS events
  FROM catalog.events, terms
 WHERE events.status = 'PUBLISHED' AND events.ends_at > now()
   AND (%(q)s::text = '' OR events.search @@ terms.query
        OR numnode(terms.query) = 0
           AND position(catalog.fold(%(q)s::text) IN catalog.fold(events.title || ' ' || events.venue)) > 0)
 GROUP BY events.category;

-- name: one
-- One event that has ever been published; whoever has its address may still read it when it is over or cancelled.
SELECT events.id, events.title, events.description, events.category, events.venue, events.time_zone,
       events.starts_at, events.ends_at, coalesce(events.sales_end_at, events.starts_at) AS sales_end_at,
       events.status,
       events.status = 'PUBLISHED' AND coalesce(events.sales_end_at, events.starts_at) > now() AS on_sale,
       events.ends_at <= now() AS over, events.currency, events.seats_per_buyer
  FROM catalog.events
 WHERE events.id = %(event_id)s::bigint AND events.status <> 'DRAFT';

-- name: sections
-- The sections of an event, each with all its seats counted and those that can be taken now.
SELECT sections.number, sections.name, sections.price, count(seats.id) AS total_seats,
       count(seats.id) FILTER (WHERE seats.status = 'AVAILABLE'
                                  OR seats.status = 'LOCKED' AND seats.held_until <= now()) AS takeable
  FROM catalog.sections
  LEFT JOIN catalog.seats ON seats.event_id = sections.event_id AND seats.section_number = sections.number
 WHERE sections.event_id = %(event_id)s::bigint
 GROUP BY sections.event_id, sections.number
 ORDER BY sections.number;

-- name: rows
-- The rows of an event for its plan: a letter a seat in order of position, 1 for those that can be taken now.
SELECT seats.section_number, seats.row_label,
       string_agg(CASE WHEN seats.status = 'AVAILABLE' OR seats.status = 'LOCKED' AND seats.held_until <= now()
                       THEN '1' ELSE '0' END, '' ORDER BY seats.position) AS seats
  FROM catalog.seats WHERE seats.event_id = %(event_id)s::bigint
 GROUP BY seats.section_number, seats.row_label
 ORDER BY seats.section_number, min(seats.position);

-- name: free
-- A letter a seat of each of these sections in order of position, 1 for those that can be taken now. Positions stand in an
-- index, so nothing is sorted; a section after the other, because the planner would rather walk the whole hall.
SELECT wanted.section_number, letters.seats
  FROM unnest(%(sections)s::smallint[]) AS wanted (section_number),
       LATERAL (SELECT string_agg(CASE WHEN seats.status = 'AVAILABLE'
                                         OR seats.status = 'LOCKED' AND seats.held_until <= now()
                                       THEN '1' ELSE '0' END, '' ORDER BY seats.position) AS seats
                  FROM catalog.seats
                 WHERE seats.event_id = %(event_id)s::bigint
                   AND seats.section_number = wanted.section_number) AS letters;

-- name: layout
-- What does not change of an event's rows while it is sold, in the order of `rows`.
SELECT seats.section_number, min(seats.price) AS price, min(seats.position) AS begins,
       array_agg(seats.id ORDER BY seats.position) AS ids, array_agg(seats.rank ORDER BY seats.position) AS ranks,
       string_agg(CASE WHEN seats.accessible THEN '1' ELSE '0' END, '' ORDER BY seats.position) AS accessible
  FROM catalog.seats WHERE seats.event_id = %(event_id)s::bigint
 GROUP BY seats.section_number, seats.row_label
 ORDER BY seats.section_number, min(seats.position);

-- name: seats
-- The seats of an event, or of one of its sections, as everybody sees them: a hold that is over counts as none.
SELECT seats.id, sections.name AS section, seats.section_number, seats.row_label, seats.number, seats.position,
       seats.rank, seats.accessible, seats.price,
       CASE WHEN seats.status = 'LOCKED' AND seats.held_until <= now() THEN 'AVAILABLE'
            ELSE seats.status END AS status
  FROM catalog.seats
  JOIN catalog.sections ON sections.event_id = seats.event_id AND sections.number = seats.section_number
 WHERE seats.event_id = %(event_id)s::bigint
   AND (%(section)s::integer IS NULL OR seats.section_number = %(section)s::integer)
 ORDER BY seats.section_number, seats.position;

-- name: named_seats
-- The seats of an event with these ids; ids that are not its seats are left out. The `+ 0` keeps the planner from
-- walking the whole hall by its event: the ids alone find the rows.
SELECT seats.id, sections.name AS section, seats.section_number, seats.row_label, seats.number, seats.position,
       seats.rank, seats.accessible, seats.price,
       CASE WHEN seats.status = 'LOCKED' AND seats.held_until <= now() THEN 'AVAILABLE'
            ELSE seats.status END AS status
  FROM catalog.seats
  JOIN catalog.sections ON sections.event_id = seats.event_id AND sections.number = seats.section_number
 WHERE seats.id = ANY (%(seat_ids)s::bigint[]) AND seats.event_id + 0 = %(event_id)s::bigint
 ORDER BY seats.section_number, seats.position;
