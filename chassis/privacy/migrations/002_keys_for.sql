-- Keys of many commands in one statement (docs/decisions/0012): each key alone waited for the disk alone.
DROP FUNCTION vault.key_for(text, text, text, text, bytea);

-- For each (case, person, class) the key that is there, or the offered one; n counts from 1. Two that offer at once get the same.
CREATE FUNCTION vault.keys_for(cases text[], persons text[], classes text[], offered_ids text[], offered bytea[])
RETURNS TABLE (n bigint, key_id text, wrapped bytea)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = vault, pg_catalog, pg_temp
-- A plan made while the table was small (a sequential scan) would stay until the next ANALYZE.
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF EXISTS (SELECT FROM unnest(classes) c WHERE NOT vault.may(c)) THEN
        RAISE EXCEPTION 'class not allowed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- In one order everywhere, so that two batches that make the same keys can never wait for each other in a ring.
    INSERT INTO keys (key_id, case_id, person, class, wrapped)
    SELECT DISTINCT ON (u.a_case, u.person, u.class) u.id, u.a_case, u.person, u.class, u.wrapped
    FROM unnest(cases, persons, classes, offered_ids, offered) u (a_case, person, class, id, wrapped)
    ORDER BY u.a_case, u.person, u.class
    ON CONFLICT (case_id, person, class) DO NOTHING;
    -- In a statement of its own: only its snapshot sees what another has just made.
    RETURN QUERY
    SELECT u.n, k.key_id, k.wrapped
    FROM unnest(cases, persons, classes) WITH ORDINALITY u (a_case, person, class, n)
    CROSS JOIN LATERAL (
        SELECT t.key_id, t.wrapped FROM keys t WHERE t.case_id = u.a_case AND t.person = u.person AND t.class = u.class LIMIT 1
    ) k
    ORDER BY u.n;
END
$$;
REVOKE ALL ON FUNCTION vault.keys_for FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vault.keys_for TO intake, review, inquiry, notify;
