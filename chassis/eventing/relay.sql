-- name: lead
SELECT pg_try_advisory_lock(1347571286, 100)

-- name: lose_the_lead_when_silent
-- A relay that is frozen keeps its session, and with it the lead, for as long as its machine answers: the bus would be silent.
SET idle_session_timeout = '5s'

-- name: beat
SELECT 1

-- name: marks
SELECT shard, seq FROM relay_marks

-- name: mark
INSERT INTO relay_marks (shard, seq) SELECT * FROM unnest($1::smallint[], $2::bigint[])
ON CONFLICT (shard) DO UPDATE SET seq = excluded.seq
