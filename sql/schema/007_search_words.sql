-- What somebody's words look for, said once for the list and for its counts. Words are stemmed in Spanish and English; a
-- last word still being typed counts as a beginning.
CREATE FUNCTION catalog.words_query(q text, before text, beginning text) RETURNS tsquery
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT websearch_to_tsquery('pg_catalog.spanish', catalog.fold(q))
        || websearch_to_tsquery('pg_catalog.english', catalog.fold(q))
        || CASE WHEN beginning = '' THEN ''::tsquery
                ELSE websearch_to_tsquery('pg_catalog.spanish', catalog.fold(before))
                     && ('''' || catalog.fold(beginning) || ''':*')::tsquery END;
END;
