-- What we know of one account, and how it is forgotten.

-- name: sessions
-- Where the account is signed in.
SELECT sessions.signed_in_at, sessions.created_at, sessions.expires_at,
       coalesce(sessions.key = %(key)s::bytea, false) AS here
  FROM accounts.sessions
 WHERE sessions.sub = %(sub)s::text AND sessions.expires_at > now() AND sessions.issuer = %(issuer)s::text
 ORDER BY sessions.created_at DESC LIMIT %(limit)s::integer;

-- name: end_sessions
-- Signed out everywhere: no session and no refresh token of the account is good any more, nor one that is given out
-- for such a token in this very moment.
WITH families AS (
    INSERT INTO accounts.ended_families (family)
    SELECT DISTINCT family FROM accounts.refresh_tokens WHERE sub = %(sub)s::text
        ON CONFLICT DO NOTHING
), tokens AS (
    DELETE FROM accounts.refresh_tokens WHERE sub = %(sub)s::text
)
DELETE FROM accounts.sessions WHERE sub = %(sub)s::text RETURNING key;

-- name: holds
-- The seats that the account has now, in all events.
SELECT seats.event_id, events.title, seats.id, sections.name AS section, seats.row_label, seats.number, seats.price,
       events.currency, seats.held_until
  FROM catalog.seats
  JOIN catalog.events ON events.id = seats.event_id
  JOIN catalog.sections ON sections.event_id = seats.event_id AND sections.number = seats.section_number
 WHERE seats.status = 'LOCKED' AND seats.holder = 'account:' || %(sub)s::text AND seats.held_until > now()
 ORDER BY seats.event_id, seats.section_number, seats.position LIMIT %(limit)s::integer;

-- name: purchases
-- Every attempt to buy, the refused ones too, the newest first.
SELECT purchases.order_uuid, purchases.event_id, purchases.idempotency_key, purchases.step, purchases.seat_ids,
       purchases.amount, purchases.currency, purchases.answer_status, purchases.answer, purchases.created_at
  FROM orders.purchases WHERE purchases.buyer = %(sub)s::text
 ORDER BY purchases.created_at DESC, purchases.order_uuid LIMIT %(limit)s::integer;

-- name: standing
-- What must end before the account may be erased, and which of it its owner can cancel.
SELECT standing.order_uuid, standing.why, events.title,
       standing.why = 'coming' AND events.starts_at > now()
       AND NOT EXISTS (SELECT FROM orders.tickets
                        WHERE tickets.order_uuid = standing.order_uuid AND tickets.admitted_at IS NOT NULL)
       AS cancellable
  FROM orders.standing(%(sub)s::text) JOIN catalog.events ON events.id = standing.event_id
 ORDER BY events.starts_at, standing.order_uuid LIMIT %(limit)s::integer;

-- name: anonymise
-- Orders and purchases stay, since the money must add up, but name nobody: not by buyer, nor by the key that the
-- buyer's device chose, nor by the digest that a card went into. Only while nothing of them is under way.
WITH free AS (
    SELECT WHERE NOT EXISTS (SELECT FROM orders.standing(%(sub)s::text))
), forgotten AS (
    UPDATE orders.orders SET buyer = %(stand_in)s::text FROM free WHERE buyer = %(sub)s::text
), purchases AS (
    UPDATE orders.purchases SET buyer = %(stand_in)s::text, idempotency_key = order_uuid::text, digest = ''
      FROM free WHERE buyer = %(sub)s::text
)
SELECT EXISTS (SELECT FROM free) AS done;

-- name: erase
-- Nothing of the account is left in this schema; the log's rows keep a number that stands for nobody any more.
WITH sessions AS (
    DELETE FROM accounts.sessions WHERE sub = %(sub)s::text
), codes AS (
    DELETE FROM accounts.codes WHERE sub = %(sub)s::text
), tokens AS (
    DELETE FROM accounts.refresh_tokens WHERE sub = %(sub)s::text
), known AS (
    DELETE FROM accounts.actors WHERE sub = %(sub)s::text
)
DELETE FROM accounts.users WHERE sub = %(sub)s::text RETURNING sub;
