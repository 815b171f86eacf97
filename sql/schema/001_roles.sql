-- Schemas and the roles that may touch them (ARCHITECTURE, rule 6). Roles belong to the whole server, so another
-- database of the same server may have made them already, perhaps in this very moment.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['seatlock', 'pipeline', 'web'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        IF NOT pg_has_role(current_user, role_name, 'SET') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', role_name);
        END IF;
    END LOOP;
END
$$;

CREATE SCHEMA catalog;
CREATE SCHEMA orders;
CREATE SCHEMA accounts;
COMMENT ON SCHEMA catalog IS 'Events, sections and seats. Only seatlock writes here.';
COMMENT ON SCHEMA orders IS 'Purchases, orders, tickets and the outbox. Only the pipeline writes here.';
COMMENT ON SCHEMA accounts IS 'Sessions and what the embedded identity provider keeps. Only web writes here.';

GRANT USAGE ON SCHEMA catalog TO seatlock, pipeline, web;
GRANT USAGE ON SCHEMA orders TO pipeline, web;
GRANT USAGE ON SCHEMA accounts TO web;

ALTER DEFAULT PRIVILEGES IN SCHEMA catalog GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO seatlock;
ALTER DEFAULT PRIVILEGES IN SCHEMA catalog GRANT SELECT ON TABLES TO pipeline, web;
ALTER DEFAULT PRIVILEGES IN SCHEMA catalog GRANT USAGE ON SEQUENCES TO seatlock;
ALTER DEFAULT PRIVILEGES IN SCHEMA orders GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO pipeline;
ALTER DEFAULT PRIVILEGES IN SCHEMA orders GRANT SELECT ON TABLES TO web;
ALTER DEFAULT PRIVILEGES IN SCHEMA orders GRANT USAGE ON SEQUENCES TO pipeline;
