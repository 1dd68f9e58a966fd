-- name: append
SELECT * FROM log.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: register_type
INSERT INTO log.fact_types (type, writer, kind) VALUES ($1, $2, $3) ON CONFLICT (type) DO NOTHING

-- name: registered_types
SELECT type, writer, kind FROM log.fact_types ORDER BY type

-- name: identity
SELECT log_id, epoch FROM log.identity

-- name: at_time
SELECT clock_timestamp()

-- name: stream
-- The columns stand in the order of Recorded's fields: a row becomes one without a look at names.
SELECT epoch, shard, seq, stream, version, type, type_version, recorded_at, actor, cause, command, ordinal, request, meta, body,
    prev, link
FROM log.facts WHERE shard = $1 AND stream = $2 AND version > $3 ORDER BY version LIMIT $4

-- name: streams
-- The index (shard, stream, version) has a kind's streams beside each other, its order being that of bytes: 64 short ranges.
-- OFFSET 0 keeps them so: joined otherwise, the whole index is read.
SELECT f.stream FROM generate_series(0, 63) s (shard)
CROSS JOIN LATERAL (
    SELECT t.stream FROM log.facts t
    WHERE t.shard = s.shard AND t.stream >= $1::text || ':' AND t.stream < $1::text || ';' AND t.version = 1
    OFFSET 0) f
ORDER BY f.stream COLLATE "C"

-- name: shard
SELECT epoch, shard, seq, stream, version, type, type_version, recorded_at, actor, cause, command, ordinal, request, meta, body,
    prev, link
FROM log.facts WHERE shard = $1 AND seq > $2 ORDER BY seq LIMIT $3

-- name: following
SELECT f.epoch, f.shard, f.seq, f.stream, f.version, f.type, f.type_version, f.recorded_at, f.actor, f.cause, f.command, f.ordinal,
    f.request, f.meta, f.body, f.prev, f.link
FROM unnest($1::smallint[], $2::bigint[]) m (shard, seq)
CROSS JOIN LATERAL (SELECT * FROM log.facts t WHERE t.shard = m.shard AND t.seq > m.seq ORDER BY t.seq LIMIT $3) f

-- name: at_position
SELECT epoch, shard, seq, stream, version, type, type_version, recorded_at, actor, cause, command, ordinal, request, meta, body,
    prev, link
FROM log.facts WHERE shard = $1 AND seq = $2

-- name: command
SELECT epoch, shard, seq, stream, version, type, type_version, recorded_at, actor, cause, command, ordinal, request, meta, body,
    prev, link
FROM log.facts WHERE shard = $1 AND command = $2 ORDER BY ordinal

-- name: heads
SELECT s.shard::int AS shard, t.seq, t.link, t.epoch
FROM generate_series(0, 63) s (shard)
CROSS JOIN LATERAL (SELECT f.seq, f.link, f.epoch FROM log.facts f WHERE f.shard = s.shard ORDER BY f.seq DESC LIMIT 1) t
