-- Who is who: sessions and sign-ins under way; users and codes of the embedded identity provider.

CREATE TABLE accounts.sessions (
    key bytea PRIMARY KEY CHECK (length(key) = 32),
    previous_key bytea,
    rotated_at timestamptz,
    visitor uuid,
    sub text,
    name text NOT NULL DEFAULT '',
    email text NOT NULL DEFAULT '',
    roles text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT sessions_are_somebodys CHECK (visitor IS NOT NULL OR sub IS NOT NULL),
    CONSTRAINT sessions_end CHECK (expires_at > created_at)
);
COMMENT ON COLUMN accounts.sessions.key IS 'SHA-256 of the cookie: who reads this table cannot use it';
COMMENT ON COLUMN accounts.sessions.previous_key IS 'the cookie before sign-in, for callbacks of other tabs that were under way';
COMMENT ON COLUMN accounts.sessions.visitor IS 'holder of holds taken before sign-in; kept beside sub until those holds have moved';
CREATE INDEX sessions_by_previous_key ON accounts.sessions (previous_key) WHERE previous_key IS NOT NULL;
CREATE INDEX sessions_by_end ON accounts.sessions (expires_at);

CREATE TABLE accounts.sign_ins (
    state bytea PRIMARY KEY CHECK (length(state) = 32),
    session_key bytea NOT NULL REFERENCES accounts.sessions ON UPDATE CASCADE ON DELETE CASCADE,
    nonce text NOT NULL,
    code_verifier text NOT NULL,
    next text NOT NULL CHECK (next LIKE '/%'),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE accounts.sign_ins IS 'one a tab that went to the identity provider and has not come back';
CREATE INDEX sign_ins_of_session ON accounts.sign_ins (session_key, created_at);

CREATE TABLE accounts.users (
    sub text PRIMARY KEY,
    email text NOT NULL UNIQUE CHECK (email = lower(email)),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    password_hash text,
    roles text[] NOT NULL DEFAULT '{buyer}'
);
COMMENT ON COLUMN accounts.users.password_hash IS 'argon2; null: may not sign in by password (buyers made for load tests)';

CREATE TABLE accounts.codes (
    code bytea PRIMARY KEY CHECK (length(code) = 32),
    sub text NOT NULL REFERENCES accounts.users,
    redirect_uri text NOT NULL,
    scope text NOT NULL,
    nonce text NOT NULL,
    code_challenge text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE accounts.codes IS 'authorization codes of the embedded provider: used once, within a minute';

GRANT SELECT, INSERT, UPDATE, DELETE ON accounts.sessions, accounts.sign_ins, accounts.codes TO web;
GRANT SELECT, INSERT, UPDATE ON accounts.users TO web;
