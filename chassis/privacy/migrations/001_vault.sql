-- Wrapped data keys. Only the vault maps a person to keys; the wrapping keys are files and in no database.
CREATE SCHEMA vault;
REVOKE ALL ON SCHEMA vault FROM PUBLIC;

CREATE TABLE vault.keys (
    key_id text PRIMARY KEY,
    case_id text NOT NULL,
    person text NOT NULL,
    class text NOT NULL CHECK (class IN ('identity', 'contact', 'property', 'staff')),
    wrapped bytea CHECK (octet_length(wrapped) = 40),
    made_at timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    UNIQUE (case_id, person, class),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
CREATE INDEX keys_of_person ON vault.keys (person);

-- Which role may seal and open which class; `session_user`, since `current_user` is the owner in SECURITY DEFINER.
CREATE FUNCTION vault.may(class text) RETURNS boolean
LANGUAGE sql STABLE
RETURN CASE class
    WHEN 'identity' THEN session_user = 'intake'
    WHEN 'contact' THEN session_user IN ('intake', 'notify')
    WHEN 'property' THEN session_user IN ('intake', 'review', 'inquiry')
    WHEN 'staff' THEN session_user = 'audit'
    ELSE false
END;

-- The key of (case, person, class): the one that is there, or the offered one. Two that offer at once get the same.
CREATE FUNCTION vault.key_for(a_case text, a_person text, a_class text, offered_id text, offered bytea)
RETURNS TABLE (key_id text, wrapped bytea)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = vault, pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT vault.may(a_class) THEN
        RAISE EXCEPTION 'class not allowed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO keys (key_id, case_id, person, class, wrapped) VALUES (offered_id, a_case, a_person, a_class, offered)
    ON CONFLICT (case_id, person, class) DO NOTHING;
    RETURN QUERY SELECT k.key_id, k.wrapped FROM keys k WHERE k.case_id = a_case AND k.person = a_person AND k.class = a_class;
END
$$;

CREATE FUNCTION vault.key(an_id text) RETURNS TABLE (class text, wrapped bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = vault, pg_catalog, pg_temp
AS $$
DECLARE found keys;
BEGIN
    SELECT k.* INTO found FROM keys k WHERE k.key_id = an_id;
    IF found.key_id IS NULL THEN
        RETURN;
    ELSIF NOT vault.may(found.class) THEN
        RAISE EXCEPTION 'class not allowed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN QUERY SELECT found.class, found.wrapped;
END
$$;

-- Erasure: the wrapped key is gone, the row stays as a record that there was one. Only intake orders it.
CREATE FUNCTION vault.forget(a_case text, a_person text) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = vault, pg_catalog, pg_temp
AS $$
DECLARE gone integer;
BEGIN
    IF session_user <> 'intake' THEN
        RAISE EXCEPTION 'only intake erases' USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE keys SET wrapped = NULL, destroyed_at = now()
    WHERE case_id = a_case AND person = a_person AND wrapped IS NOT NULL;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;

REVOKE ALL ON ALL TABLES IN SCHEMA vault FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA vault FROM PUBLIC;
GRANT USAGE ON SCHEMA vault TO intake, review, inquiry, notify;
GRANT EXECUTE ON FUNCTION vault.key_for, vault.key TO intake, review, inquiry, notify;
GRANT EXECUTE ON FUNCTION vault.forget TO intake;
