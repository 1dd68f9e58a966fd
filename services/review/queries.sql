-- name: put_case
INSERT INTO cases (stream, request_type, district, office, submitted_at, version) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (stream) DO UPDATE
SET confirmed = false, stage = NULL, round = 0, committed = false, drawn = NULL, drawn_at = NULL, due_at = NULL, correction = false,
    inquiries = '{}', suspended = false, ended = NULL, version = excluded.version

-- name: touch
UPDATE cases SET version = $2 WHERE stream = $1

-- name: confirm
UPDATE cases SET confirmed = true WHERE stream = $1

-- name: set_target
UPDATE cases SET due_at = $2 WHERE stream = $1

-- name: commit_draw
UPDATE cases SET stage = $2, round = $3, committed = true, drawn = NULL, drawn_at = NULL WHERE stream = $1

-- name: make_draw
UPDATE cases SET drawn = $2, drawn_at = $3, committed = false WHERE stream = $1

-- name: undraw
UPDATE cases SET drawn = NULL, drawn_at = NULL WHERE stream = $1

-- name: set_correction
UPDATE cases SET correction = $2 WHERE stream = $1

-- name: open_inquiry
UPDATE cases SET inquiries = array_append(inquiries, $2::text) WHERE stream = $1

-- name: close_inquiry
UPDATE cases SET inquiries = array_remove(inquiries, $2::text) WHERE stream = $1

-- name: set_suspended
UPDATE cases SET suspended = $2 WHERE stream = $1

-- name: end_case
UPDATE cases SET ended = $2, correction = false, inquiries = '{}', committed = false WHERE stream = $1

-- name: put_reviewer
INSERT INTO reviewers (staff, districts, stages, weight, office, active) VALUES ($1, $2, $3, $4, $5, true)
ON CONFLICT (staff) DO UPDATE SET districts = excluded.districts, stages = excluded.stages, weight = excluded.weight,
    office = excluded.office, active = true

-- name: retire
UPDATE reviewers SET active = false WHERE staff = $1

-- name: escalate
INSERT INTO escalations (stream, version, kind, due_at, noted_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (stream, version) DO NOTHING

-- name: assigned
SELECT * FROM cases WHERE ended IS NULL AND drawn IS NOT NULL ORDER BY due_at NULLS LAST, drawn_at, stream

-- name: reviewers
SELECT * FROM reviewers WHERE active ORDER BY staff

-- name: case
SELECT * FROM cases WHERE stream = $1

-- name: escalations
SELECT e.stream, e.kind, e.due_at, e.noted_at, c.request_type, c.district, c.suspended
FROM escalations e JOIN cases c USING (stream) WHERE c.ended IS NULL ORDER BY e.noted_at DESC, e.stream LIMIT 200

-- name: undrawn
SELECT * FROM cases WHERE ended IS NULL AND confirmed AND drawn IS NULL ORDER BY submitted_at, stream LIMIT 200

-- name: suspended
SELECT * FROM cases WHERE ended IS NULL AND suspended ORDER BY submitted_at, stream LIMIT 200

-- name: desks
SELECT district, stage, count(*) AS cases FROM cases WHERE ended IS NULL AND drawn IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
