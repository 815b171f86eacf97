-- What the identity provider gave with a session, and the refresh tokens that the embedded one gives.

ALTER TABLE accounts.sessions
    ADD COLUMN issuer text,
    ADD COLUMN refresh_token bytea,
    ADD COLUMN signed_in_at timestamptz,
    ADD COLUMN fresh_until timestamptz,
    ADD COLUMN refreshing_until timestamptz;
COMMENT ON COLUMN accounts.sessions.issuer IS 'who signed the account in; the session counts only while that is our issuer';
COMMENT ON COLUMN accounts.sessions.refresh_token IS 'encrypted under SECRET_KEY: who reads this table cannot use it';
COMMENT ON COLUMN accounts.sessions.fresh_until IS 'until then name, address and roles are taken as the issuer said them last';
COMMENT ON COLUMN accounts.sessions.refreshing_until IS 'somebody asks the issuer just now; a refresh token is good for one question';
CREATE INDEX sessions_of_account ON accounts.sessions (sub) WHERE sub IS NOT NULL;

CREATE TABLE accounts.refresh_tokens (
    token bytea PRIMARY KEY CHECK (length(token) = 32),
    family uuid NOT NULL,
    sub text NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    issuer text NOT NULL,
    scope text NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    family_ends_at timestamptz NOT NULL,
    used_at timestamptz
);
COMMENT ON TABLE accounts.refresh_tokens IS 'SHA-256 of each refresh token of the embedded provider; used ones stay, so that a second use is noticed';
COMMENT ON COLUMN accounts.refresh_tokens.family IS 'all that came from one sign-in; a second use of any ends them all';
CREATE INDEX refresh_tokens_of_family ON accounts.refresh_tokens (family);
CREATE INDEX refresh_tokens_of_account ON accounts.refresh_tokens (sub);
CREATE INDEX refresh_tokens_by_end ON accounts.refresh_tokens (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON accounts.refresh_tokens TO web;
