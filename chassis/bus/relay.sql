-- name: lead
SELECT pg_try_advisory_lock(1347571286, 100)

-- name: marks
SELECT shard, seq FROM relay_marks

-- name: mark
INSERT INTO relay_marks (shard, seq) SELECT * FROM unnest($1::smallint[], $2::bigint[])
ON CONFLICT (shard) DO UPDATE SET seq = excluded.seq
