-- Families of refresh tokens that are over: a token given out a moment later is no use either.

CREATE TABLE accounts.ended_families (
    family uuid PRIMARY KEY,
    ended_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE accounts.ended_families IS 'kept while there is a token of the family, which may come after its end';
CREATE INDEX ended_families_by_end ON accounts.ended_families (ended_at);

GRANT SELECT, INSERT, DELETE ON accounts.ended_families TO web;
