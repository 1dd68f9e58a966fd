-- name: begin
INSERT INTO checkpoints (reader, version, shard) SELECT $1, $2, generate_series(0, 63) ON CONFLICT DO NOTHING

-- name: other_version
SELECT 1 FROM checkpoints WHERE reader = $1 AND version <> $2 LIMIT 1

-- name: lock_checkpoints
-- Ascending, so that two instances that take the same shards can never wait for each other in a ring.
SELECT shard, epoch, seq, hash, halted FROM checkpoints WHERE reader = $1 AND version = $2 AND shard = ANY ($3::smallint[])
ORDER BY shard FOR UPDATE

-- name: move_checkpoints
UPDATE checkpoints c SET epoch = m.epoch, seq = m.seq, hash = m.hash
FROM unnest($3::smallint[], $4::integer[], $5::bigint[], $6::bytea[]) m (shard, epoch, seq, hash)
WHERE c.reader = $1 AND c.version = $2 AND c.shard = m.shard

-- name: halt
UPDATE checkpoints SET halted = $4 WHERE reader = $1 AND version = $2 AND shard = $3

-- name: checkpoints
SELECT shard, epoch, seq, hash, halted FROM checkpoints WHERE reader = $1 AND version = $2 ORDER BY shard

-- name: reached
SELECT c.seq >= $4 AS reached,
       EXISTS (SELECT FROM parked_streams p WHERE p.reader = $1 AND p.version = $2 AND p.stream = $5) AS parked
FROM checkpoints c WHERE c.reader = $1 AND c.version = $2 AND c.shard = $3

-- name: parked_in
SELECT stream FROM parked_streams WHERE reader = $1 AND version = $2 AND shard = ANY ($3::smallint[])

-- name: park
INSERT INTO parked_streams (reader, version, stream, shard, from_version, reason) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING

-- name: parked_lately
SELECT count(*) FROM parked_streams WHERE reader = $1 AND version = $2 AND parked_at > now() - interval '5 minutes'

-- name: parked
SELECT reader, stream, from_version, reason, parked_at FROM parked_streams WHERE reader = $1 AND version = $2 ORDER BY parked_at, stream

-- name: parked_from
SELECT from_version FROM parked_streams WHERE reader = $1 AND version = $2 AND stream = $3

-- name: release
DELETE FROM parked_streams WHERE reader = $1 AND version = $2 AND stream = $3
