-- Sessions, sign-ins under way, and the embedded identity provider's users and codes.

-- name: session
-- The living session of a cookie; stale: its issuer has to be asked whether all of it still holds.
SELECT visitor, sub, name, email, roles, expires_at,
       coalesce(refresh_token IS NOT NULL AND fresh_until <= now()
                AND (refreshing_until IS NULL OR refreshing_until <= now()), false) AS stale
  FROM accounts.sessions
 WHERE key = %(key)s::bytea AND expires_at > now() AND (issuer IS NULL OR issuer = %(issuer)s::text);

-- name: begin_session
-- A visitor's session, or a further one of an account. Ended ones are swept out on the way.
WITH ended AS (
    DELETE FROM accounts.sessions WHERE key IN
        (SELECT key FROM accounts.sessions WHERE expires_at <= now() LIMIT 100)
)
INSERT INTO accounts.sessions (key, visitor, sub, name, email, roles, issuer, refresh_token,
                               signed_in_at, fresh_until, expires_at)
VALUES (%(key)s::bytea, %(visitor)s::uuid, %(sub)s::text, %(name)s::text, %(email)s::text, %(roles)s::text[],
        %(issuer)s::text, %(refresh_token)s::bytea,
        CASE WHEN %(sub)s::text IS NOT NULL THEN now() END,
        now() + make_interval(secs => %(fresh)s::double precision),
        now() + make_interval(secs => %(lifetime)s::double precision))
RETURNING key;

-- name: sign_in
-- The session becomes an account's, under a new key; sign-ins of other tabs follow the key by themselves.
UPDATE accounts.sessions
   SET key = %(new_key)s::bytea, previous_key = key, rotated_at = now(), visitor = %(visitor)s::uuid,
       sub = %(sub)s::text, name = %(name)s::text, email = %(email)s::text, roles = %(roles)s::text[],
       issuer = %(issuer)s::text, refresh_token = %(refresh_token)s::bytea,
       signed_in_at = now(), refreshing_until = NULL,
       fresh_until = now() + make_interval(secs => %(fresh)s::double precision),
       expires_at = now() + make_interval(secs => %(lifetime)s::double precision)
 WHERE key = %(key)s::bytea AND expires_at > now()
RETURNING key;

-- name: begin_refresh
-- Be the only one that asks the issuer about this session, for a while.
UPDATE accounts.sessions
   SET refreshing_until = now() + make_interval(secs => %(lease)s::double precision)
 WHERE key = %(key)s::bytea AND expires_at > now() AND refresh_token IS NOT NULL
   AND (refreshing_until IS NULL OR refreshing_until <= now())
RETURNING sub, refresh_token;

-- name: keep_refresh_token
-- What the issuer is asked with next, written down before anything else of its answer is read.
UPDATE accounts.sessions SET refresh_token = %(refresh_token)s::bytea
 WHERE key = %(key)s::bytea AND sub = %(sub)s::text
RETURNING key;

-- name: refreshed
-- What the issuer says now. No session lives longer than `longest` after its sign-in.
UPDATE accounts.sessions
   SET name = %(name)s::text, email = %(email)s::text, roles = %(roles)s::text[],
       refresh_token = %(refresh_token)s::bytea, refreshing_until = NULL,
       fresh_until = now() + make_interval(secs => %(fresh)s::double precision),
       expires_at = least(now() + make_interval(secs => %(lifetime)s::double precision),
                          signed_in_at + make_interval(secs => %(longest)s::double precision))
 WHERE key = %(key)s::bytea AND sub = %(sub)s::text
RETURNING visitor, sub, name, email, roles, expires_at;

-- name: living_sessions
-- Which of these sessions can still be used.
SELECT key FROM accounts.sessions
 WHERE key = ANY (%(keys)s::bytea[]) AND expires_at > now()
   AND (issuer IS NULL OR issuer = %(issuer)s::text);

-- name: holds_moved
-- The visitor's holds are the account's now.
UPDATE accounts.sessions SET visitor = NULL
 WHERE key = %(key)s::bytea AND sub IS NOT NULL AND visitor = %(visitor)s::uuid
RETURNING key;

-- name: end_session
-- Signed out; what the issuer gave is told, so that it can be ended there as well.
DELETE FROM accounts.sessions WHERE key = %(key)s::bytea RETURNING sub, issuer, refresh_token;

-- name: begin_sign_in
-- A tab goes to the identity provider; only the latest few of a session are kept.
WITH kept AS (
    SELECT state FROM accounts.sign_ins
     WHERE session_key = %(key)s::bytea AND created_at > now() - make_interval(secs => %(lifetime)s::double precision)
     ORDER BY created_at DESC LIMIT %(most)s::integer - 1
), dropped AS (
    DELETE FROM accounts.sign_ins
     WHERE session_key = %(key)s::bytea AND state NOT IN (SELECT state FROM kept)
)
INSERT INTO accounts.sign_ins (state, session_key, nonce, code_verifier, next)
VALUES (%(state)s::bytea, %(key)s::bytea, %(nonce)s::text, %(code_verifier)s::text, %(next)s::text)
RETURNING state;

-- name: finish_sign_in
-- The tab is back, with the cookie that it left with or, another tab having been faster, the one before.
DELETE FROM accounts.sign_ins
 WHERE state = %(state)s::bytea
   AND created_at > now() - make_interval(secs => %(lifetime)s::double precision)
   AND session_key IN (SELECT key FROM accounts.sessions
                        WHERE key = %(key)s::bytea OR previous_key = %(key)s::bytea
                              AND rotated_at > now() - make_interval(secs => %(lifetime)s::double precision))
RETURNING nonce, code_verifier, next;

-- name: user_by_email
-- Somebody who can sign in at the embedded provider.
SELECT sub, email, name, password_hash, roles FROM accounts.users WHERE email = lower(%(email)s::text);

-- name: user
-- The same by subject.
SELECT sub, email, name, password_hash, roles FROM accounts.users WHERE sub = %(sub)s::text;

-- name: add_user
-- An account, unless it is there already.
INSERT INTO accounts.users (sub, email, name, password_hash, roles)
VALUES (%(sub)s::text, %(email)s::text, %(name)s::text, %(password_hash)s::text, %(roles)s::text[])
    ON CONFLICT DO NOTHING RETURNING sub;

-- name: set_password
-- Another password for an account of the embedded provider.
UPDATE accounts.users SET password_hash = %(password_hash)s::text WHERE sub = %(sub)s::text RETURNING sub;

-- name: add_load_buyers
-- Buyers for load tests, without a password; those that are there already stay.
INSERT INTO accounts.users (sub, email, name)
SELECT gen_random_uuid()::text, 'buyer' || lpad(n::text, 6, '0') || '@load.example', 'Buyer ' || n
  FROM generate_series(1, %(count)s::integer) AS n
    ON CONFLICT (email) DO NOTHING RETURNING sub;

-- name: load_buyers
-- The first so many of them.
SELECT sub, email, name, roles FROM accounts.users WHERE email LIKE 'buyer%%@load.example'
 ORDER BY email LIMIT %(count)s::integer;

-- name: add_code
-- An authorization code.
INSERT INTO accounts.codes (code, sub, redirect_uri, scope, nonce, code_challenge)
VALUES (%(code)s::bytea, %(sub)s::text, %(redirect_uri)s::text, %(scope)s::text, %(nonce)s::text,
        %(code_challenge)s::text)
RETURNING code;

-- name: use_code
-- Use a code: whoever deletes it has it, so nobody has it twice. Old ones go with it.
WITH used AS (
    DELETE FROM accounts.codes
     WHERE code = %(code)s::bytea OR created_at < now() - make_interval(secs => 10 * %(lifetime)s::double precision)
    RETURNING *
)
SELECT sub, redirect_uri, scope, nonce, code_challenge, extract(epoch FROM created_at)::integer AS auth_time
  FROM used
 WHERE code = %(code)s::bytea AND created_at > now() - make_interval(secs => %(lifetime)s::double precision);

-- name: add_refresh_token
-- A refresh token; ended ones are swept out on the way.
WITH ended AS (
    DELETE FROM accounts.refresh_tokens WHERE token IN
        (SELECT token FROM accounts.refresh_tokens WHERE expires_at <= now() LIMIT 100)
)
INSERT INTO accounts.refresh_tokens (token, family, sub, issuer, scope, expires_at, family_ends_at)
SELECT %(token)s::bytea, %(family)s::uuid, %(sub)s::text, %(issuer)s::text, %(scope)s::text,
       least(now() + make_interval(secs => %(lifetime)s::double precision), ends_at), ends_at
  FROM (SELECT coalesce(%(family_ends_at)s::timestamptz,
                        now() + make_interval(secs => %(longest)s::double precision)) AS ends_at) AS family
RETURNING token;

-- name: use_refresh_token
-- Use a refresh token once, unless its family is over.
UPDATE accounts.refresh_tokens SET used_at = now()
 WHERE token = %(token)s::bytea AND used_at IS NULL AND expires_at > now() AND issuer = %(issuer)s::text
   AND NOT EXISTS (SELECT FROM accounts.ended_families WHERE ended_families.family = refresh_tokens.family)
RETURNING family, sub, scope, family_ends_at;

-- name: refresh_token_family
-- The family of a refresh token, and when it was used.
SELECT family, used_at FROM accounts.refresh_tokens WHERE token = %(token)s::bytea;

-- name: end_refresh_tokens
-- Nothing of this family is good any more, nor what is given out for it in this very moment. That it ended is
-- forgotten when it has no tokens, an hour later: by then nobody is still about to write one.
WITH ended AS (
    INSERT INTO accounts.ended_families (family) VALUES (%(family)s::uuid) ON CONFLICT DO NOTHING
), forgotten AS (
    DELETE FROM accounts.ended_families WHERE family IN
        (SELECT old.family FROM accounts.ended_families AS old
          WHERE old.ended_at < now() - interval '1 hour'
            AND NOT EXISTS (SELECT FROM accounts.refresh_tokens WHERE refresh_tokens.family = old.family)
          LIMIT 100)
)
UPDATE accounts.refresh_tokens SET used_at = coalesce(used_at, now()) WHERE family = %(family)s::uuid RETURNING token;
