-- The append with one INSERT for a whole batch (docs/decisions/0005): an INSERT per fact cost more than all else together.
-- What is promised is as before: locks first and ascending, tails in a statement of their own, an outcome for each command.
CREATE OR REPLACE FUNCTION log.append(
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
    mine text[];
    versions integer[];
    repeats boolean[];
    twice boolean;
    earlier integer[];
    again boolean[];
    after integer[] := '{}';
    answer log.outcome;
    held record;
    seen record;
    shard_ smallint;
    stream_ text;
    current_version integer;
    first integer := 1;
    last integer;
    at timestamptz;
    previous bytea;
    made bytea;
    new_links bytea[];
    -- The facts of this batch that are decided and not inserted yet: which command, which fact, and where they stand.
    p integer := 0;
    p_command integer[] := '{}';
    p_fact integer[] := '{}';
    p_ordinal smallint[] := '{}';
    p_seq bigint[] := '{}';
    p_version integer[] := '{}';
    p_at timestamptz[] := '{}';
    p_prev bytea[] := '{}';
    p_link bytea[] := '{}';
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
    -- What stands already, for all commands at once; also after the locks.
    -- Scalar subqueries, since a join planned while the table was small would hash all of it for ever.
    SELECT array_agg(coalesce((SELECT max(f.version) FROM facts f WHERE f.shard = u.shard AND f.stream = u.stream), 0)
                     ORDER BY u.n),
           array_agg((SELECT f.ordinal FROM facts f WHERE f.shard = u.shard AND f.command = u.command AND f.ordinal = 0)
                     IS NOT NULL ORDER BY u.n),
           count(DISTINCT u.stream) < count(*) OR count(DISTINCT u.command) < count(*)
    INTO versions, repeats, twice
    FROM unnest(shards, streams, commands) WITH ORDINALITY u(shard, stream, command, n);
    IF twice THEN
        SELECT array_agg(w.before ORDER BY w.n), array_agg(w.again ORDER BY w.n) INTO earlier, again
        FROM (SELECT u.n, lag(u.n::integer) OVER (PARTITION BY u.stream ORDER BY u.n) AS before,
                     row_number() OVER (PARTITION BY u.command ORDER BY u.n) > 1 AS again
              FROM unnest(streams, commands) WITH ORDINALITY u(stream, command, n)) w;
    END IF;
    -- `session_user`, since `current_user` is the owner in SECURITY DEFINER.
    mine := ARRAY(SELECT t.type || ' ' || t.kind FROM fact_types t WHERE t.writer = session_user);

    FOR c IN 1 .. cardinality(streams) LOOP
        last := first + counts[c] - 1;
        shard_ := shards[c];
        stream_ := streams[c];
        answer := ROW(NULL, NULL, NULL, shard_, NULL, NULL, NULL, NULL, me.log_id, me.epoch);
        current_version := versions[c];
        IF twice AND earlier[c] IS NOT NULL THEN
            current_version := after[earlier[c]];  -- an earlier command of this batch wrote to the same stream
        END IF;
        IF twice AND again[c] AND p > 0 THEN
            -- One command twice in one batch: the second must find what the first did.
            PERFORM log.put(me.epoch, shards, streams, commands, requests, actors, causes, metas, types, type_versions, bodies,
                            p_command, p_fact, p_ordinal, p_seq, p_version, p_at, p_prev, p_link);
            p := 0;
            p_command := '{}'; p_fact := '{}'; p_ordinal := '{}'; p_seq := '{}';
            p_version := '{}'; p_at := '{}'; p_prev := '{}'; p_link := '{}';
        END IF;
        IF twice AND again[c] THEN
            PERFORM 1 FROM facts f WHERE f.shard = shard_ AND f.command = commands[c] AND f.ordinal = 0;
            repeats[c] := FOUND;
        END IF;
        IF repeats[c] THEN
            SELECT min(f.seq) AS seq, min(f.version) AS version, array_agg(f.link ORDER BY f.ordinal) AS links,
                   min(f.recorded_at) AS recorded_at, min(f.stream) AS stream, bool_and(f.request = requests[c]) AS same
            INTO seen FROM facts f WHERE f.shard = shard_ AND f.command = commands[c];
            IF seen.same AND seen.stream = stream_ THEN
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
            -- One small fact of ours on a stream of its kind needs no further look; whatever else is asked of log.refusal.
            IF counts[c] <> 1 OR length(bodies[first]) + length(metas[c]) > 262144 OR length(stream_) > 88
               OR stream_ !~ '^[a-z]+:[A-Za-z0-9_.-]{1,80}$'
               OR types[first] || ' ' || split_part(stream_, ':', 1) <> ALL (mine) THEN
                answer.reason := log.refusal(stream_, types[first:last], bodies[first:last], metas[c]);
            END IF;
            IF answer.reason IS NOT NULL THEN
                answer.outcome := 'refused';
            ELSIF expected[c] IS NOT NULL AND expected[c] <> current_version THEN
                answer.outcome := 'conflict';
                answer.actual := current_version;
            ELSE
                at := greatest(clock_timestamp(), tail_at[shard_ + 1]);
                previous := tail_link[shard_ + 1];
                new_links := '{}';
                FOR f IN first .. last LOOP
                    p := p + 1;
                    p_command[p] := c;
                    p_fact[p] := f;
                    p_ordinal[p] := f - first;
                    p_seq[p] := tail_seq[shard_ + 1] + 1 + f - first;
                    p_version[p] := current_version + 1 + f - first;
                    p_at[p] := at;
                    p_prev[p] := previous;
                    made := log.link_of(
                        me.log_id, me.epoch, shard_, p_seq[p], p_version[p], type_versions[f], at, (f - first)::smallint,
                        commands[c], requests[c], metas[c], bodies[f], previous, stream_, types[f], actors[c], causes[c]
                    );
                    p_link[p] := made;
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
        IF twice THEN
            after[c] := current_version + CASE WHEN answer.outcome = 'appended' THEN counts[c] ELSE 0 END;
        END IF;
        RETURN NEXT answer;
        first := last + 1;
    END LOOP;
    IF p > 0 THEN
        PERFORM log.put(me.epoch, shards, streams, commands, requests, actors, causes, metas, types, type_versions, bodies,
                        p_command, p_fact, p_ordinal, p_seq, p_version, p_at, p_prev, p_link);
    END IF;
END
$$;

-- Insert what a batch decided: only log.append calls it, with the rights of the owner.
CREATE FUNCTION log.put(
    epoch_ integer, shards smallint[], streams text[], commands bytea[], requests bytea[], actors text[], causes text[],
    metas bytea[], types text[], type_versions smallint[], bodies bytea[], p_command integer[], p_fact integer[],
    p_ordinal smallint[], p_seq bigint[], p_version integer[], p_at timestamptz[], p_prev bytea[], p_link bytea[]
) RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    INSERT INTO log.facts (shard, seq, stream, version, type, type_version, epoch, recorded_at, actor, cause,
                           command, ordinal, request, meta, body, prev, link)
    SELECT shards[u.c], u.seq, streams[u.c], u.version, types[u.f], type_versions[u.f], epoch_, u.at, actors[u.c], causes[u.c],
           commands[u.c], u.ordinal, requests[u.c], metas[u.c], bodies[u.f], u.prev, u.link
    FROM unnest(p_command, p_fact, p_ordinal, p_seq, p_version, p_at, p_prev, p_link)
         u(c, f, ordinal, seq, version, at, prev, link);
END
$$;
REVOKE ALL ON FUNCTION log.put FROM PUBLIC;
