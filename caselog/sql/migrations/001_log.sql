-- The case event log (docs/design.md, section 3). Nothing here is ever updated or deleted by the application.
CREATE SCHEMA log;
REVOKE ALL ON SCHEMA log FROM PUBLIC;

CREATE TABLE log.identity (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    log_id uuid NOT NULL DEFAULT gen_random_uuid(),
    epoch integer NOT NULL DEFAULT 1
);
INSERT INTO log.identity DEFAULT VALUES;

-- Which service writes which fact, and on which kind of stream; filled from schemas.facts by `caselog migrate`.
CREATE TABLE log.fact_types (
    type text PRIMARY KEY,
    writer text NOT NULL,
    kind text NOT NULL
);

-- No sequence anywhere: with 12 writers a reader polling `id > last` missed 25 % of the committed rows. No head row either:
-- under one long snapshot its dead versions cut the appends to a quarter within a minute.
CREATE TABLE log.facts (
    shard smallint NOT NULL CHECK (shard BETWEEN 0 AND 63),
    seq bigint NOT NULL CHECK (seq > 0),
    stream text COLLATE "C" NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    type text COLLATE "C" NOT NULL,
    type_version smallint NOT NULL CHECK (type_version > 0),
    epoch integer NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    cause text,
    command bytea NOT NULL CHECK (length(command) = 32),
    ordinal smallint NOT NULL CHECK (ordinal BETWEEN 0 AND 63),
    request bytea NOT NULL CHECK (length(request) = 32),
    meta bytea NOT NULL,
    body bytea NOT NULL,
    prev bytea NOT NULL CHECK (length(prev) = 32),
    link bytea NOT NULL CHECK (length(link) = 32),
    PRIMARY KEY (shard, seq)
);
CREATE UNIQUE INDEX facts_by_stream ON log.facts (shard, stream, version);
CREATE UNIQUE INDEX facts_by_command ON log.facts (shard, command, ordinal);

CREATE FUNCTION log.shard_of(stream text) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (get_byte(sha256(convert_to(stream, 'UTF8')), 0) % 64)::smallint;

-- The preimage of a link; caselog/chain.py builds the same bytes and docs/log-format.md describes them.
CREATE FUNCTION log.link_of(
    log_id uuid, epoch integer, shard smallint, seq bigint, version integer, type_version smallint, at timestamptz,
    ordinal smallint, command bytea, request bytea, meta bytea, body bytea, prev bytea, stream text, type text, actor text, cause text
) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
-- plpgsql, not SQL: the planner does not inline it (convert_to is only STABLE), and a plpgsql expression costs a tenth of a call.
RETURN sha256(
    '\x70617276616e6465682e6661637401'::bytea || uuid_send(log_id) || int4send(epoch) || int2send(shard) || int8send(seq)
    || int4send(version) || int2send(type_version) || int8send((extract(epoch FROM at) * 1000000)::bigint) || int2send(ordinal)
    || command || request || sha256(meta) || sha256(body) || prev
    || int4send(octet_length(stream)) || convert_to(stream, 'UTF8')
    || int4send(octet_length(type)) || convert_to(type, 'UTF8')
    || int4send(octet_length(actor)) || convert_to(actor, 'UTF8')
    || CASE WHEN cause IS NULL THEN '\xffffffff'::bytea ELSE int4send(octet_length(cause)) || convert_to(cause, 'UTF8') END
);
END
$$;

CREATE TYPE log.outcome AS (
    outcome text, reason text, actual integer, shard smallint, first_seq bigint, first_version integer,
    links bytea[], recorded_at timestamptz, log_id uuid, epoch integer
);

-- One call, one autocommit statement, many commands (group commit). Each command has an outcome of its own, in order.
-- No EXCEPTION block: any exception commits nothing, and the client then sends each command alone.
CREATE FUNCTION log.append(
    streams text[], expected integer[], commands bytea[], requests bytea[], actors text[], causes text[], metas bytea[],
    counts integer[], types text[], type_versions smallint[], bodies bytea[]
) RETURNS SETOF log.outcome
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = log, pg_catalog, pg_temp
SET lock_timeout = '2s'
-- A plan made while the table was small (a sequential scan) would stay until the next ANALYZE.
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    me log.identity;
    shards smallint[];
    tail_seq bigint[] := array_fill(0::bigint, ARRAY[64]);
    tail_link bytea[] := array_fill(decode(repeat('00', 32), 'hex'), ARRAY[64]);
    tail_at timestamptz[] := array_fill('-infinity'::timestamptz, ARRAY[64]);
    answer log.outcome;
    held record;
    seen record;
    shard_ smallint;
    current_version integer;
    first integer := 1;
    last integer;
    at timestamptz;
    previous bytea;
    made bytea;
    new_links bytea[];
BEGIN
    SELECT i.* INTO STRICT me FROM log.identity i;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        -- A snapshot taken before the lock would show a tail that is no longer the tail.
        RAISE EXCEPTION 'append needs READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    shards := ARRAY(SELECT log.shard_of(s) FROM unnest(streams) WITH ORDINALITY u(s, n) ORDER BY n);
    -- All locks first and ascending, so that two batches can never wait for each other in a ring.
    FOR shard_ IN SELECT DISTINCT s FROM unnest(shards) s ORDER BY s LOOP
        PERFORM pg_advisory_xact_lock(1347571286, shard_);
    END LOOP;
    -- The tails in a statement of their own: only its snapshot is later than the locks.
    FOR held IN
        SELECT s.s AS shard, t.seq, t.link, t.recorded_at
        FROM (SELECT DISTINCT s FROM unnest(shards) s) s
        CROSS JOIN LATERAL (SELECT f.seq, f.link, f.recorded_at FROM facts f WHERE f.shard = s.s ORDER BY f.seq DESC LIMIT 1) t
    LOOP
        tail_seq[held.shard + 1] := held.seq;
        tail_link[held.shard + 1] := held.link;
        tail_at[held.shard + 1] := held.recorded_at;
    END LOOP;

    FOR c IN 1 .. cardinality(streams) LOOP
        last := first + counts[c] - 1;
        shard_ := shards[c];
        answer := ROW(NULL, NULL, NULL, shard_, NULL, NULL, NULL, NULL, me.log_id, me.epoch);
        PERFORM 1 FROM facts f WHERE f.shard = shard_ AND f.command = commands[c] AND f.ordinal = 0;
        IF FOUND THEN
            SELECT min(f.seq) AS seq, min(f.version) AS version, array_agg(f.link ORDER BY f.ordinal) AS links,
                   min(f.recorded_at) AS recorded_at, min(f.stream) AS stream, bool_and(f.request = requests[c]) AS same
            INTO seen FROM facts f WHERE f.shard = shard_ AND f.command = commands[c];
            IF seen.same AND seen.stream = streams[c] THEN
                answer.outcome := 'repeated';
                answer.first_seq := seen.seq;
                answer.first_version := seen.version;
                answer.links := seen.links;
                answer.recorded_at := seen.recorded_at;
            ELSE
                answer.outcome := 'refused';
                answer.reason := 'request_differs';
            END IF;
        ELSE
            answer.reason := log.refusal(streams[c], types[first:last], bodies[first:last], metas[c]);
            IF answer.reason IS NOT NULL THEN
                answer.outcome := 'refused';
            ELSE
                SELECT coalesce(max(f.version), 0) INTO current_version FROM facts f WHERE f.shard = shard_ AND f.stream = streams[c];
                IF expected[c] IS NOT NULL AND expected[c] <> current_version THEN
                    answer.outcome := 'conflict';
                    answer.actual := current_version;
                ELSE
                    at := greatest(clock_timestamp(), tail_at[shard_ + 1]);
                    previous := tail_link[shard_ + 1];
                    new_links := '{}';
                    FOR f IN first .. last LOOP
                        made := log.link_of(
                            me.log_id, me.epoch, shard_, tail_seq[shard_ + 1] + 1 + f - first, current_version + 1 + f - first,
                            type_versions[f], at, (f - first)::smallint, commands[c], requests[c], metas[c], bodies[f], previous,
                            streams[c], types[f], actors[c], causes[c]
                        );
                        INSERT INTO facts (shard, seq, stream, version, type, type_version, epoch, recorded_at, actor, cause,
                                           command, ordinal, request, meta, body, prev, link)
                        VALUES (shard_, tail_seq[shard_ + 1] + 1 + f - first, streams[c], current_version + 1 + f - first, types[f],
                                type_versions[f], me.epoch, at, actors[c], causes[c], commands[c], f - first, requests[c], metas[c],
                                bodies[f], previous, made);
                        new_links := new_links || made;
                        previous := made;
                    END LOOP;
                    answer.outcome := 'appended';
                    answer.first_seq := tail_seq[shard_ + 1] + 1;
                    answer.first_version := current_version + 1;
                    answer.links := new_links;
                    answer.recorded_at := at;
                    tail_seq[shard_ + 1] := tail_seq[shard_ + 1] + counts[c];
                    tail_link[shard_ + 1] := previous;
                    tail_at[shard_ + 1] := at;
                END IF;
            END IF;
        END IF;
        RETURN NEXT answer;
        first := last + 1;
    END LOOP;
END
$$;

-- Why a command may not be appended, or NULL. `session_user`, since `current_user` is the owner in SECURITY DEFINER.
CREATE FUNCTION log.refusal(stream text, types text[], bodies bytea[], meta bytea) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    size bigint := length(meta);
    known log.fact_types;
BEGIN
    IF coalesce(cardinality(types), 0) NOT BETWEEN 1 AND 64 THEN
        RETURN 'too_many_facts';
    END IF;
    FOR f IN 1 .. cardinality(bodies) LOOP
        size := size + length(bodies[f]);
    END LOOP;
    IF size > 262144 THEN
        RETURN 'too_large';
    ELSIF stream !~ '^[a-z]+:[A-Za-z0-9_.-]{1,80}$' THEN
        RETURN 'wrong_stream';
    END IF;
    FOR f IN 1 .. cardinality(types) LOOP
        IF f = 1 OR types[f] <> types[f - 1] THEN
            SELECT k.* INTO known FROM log.fact_types k WHERE k.type = types[f];
            IF known.type IS NULL THEN
                RETURN 'unknown_type';
            ELSIF known.writer <> session_user THEN
                RETURN 'not_the_writer';
            ELSIF known.kind <> split_part(stream, ':', 1) THEN
                RETURN 'wrong_stream_kind';
            END IF;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA log FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA log FROM PUBLIC;
GRANT USAGE ON SCHEMA log TO intake, review, inquiry, notify;
GRANT EXECUTE ON FUNCTION log.append TO intake, review, inquiry, notify;
GRANT USAGE ON SCHEMA log TO intake_reader, review_reader, inquiry_reader, notify_reader, audit_reader, relay_reader, witness_reader;
GRANT SELECT ON log.facts, log.identity, log.fact_types
    TO intake_reader, review_reader, inquiry_reader, notify_reader, audit_reader, relay_reader, witness_reader;
