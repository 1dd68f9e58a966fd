-- name: assigned
SELECT * FROM cases WHERE ended IS NULL AND drawn IS NOT NULL ORDER BY due_at NULLS LAST, drawn_at, stream

-- name: everybody
SELECT staff FROM reviewers ORDER BY staff

-- name: reviewers
SELECT * FROM reviewers WHERE active ORDER BY staff

-- name: case
SELECT * FROM cases WHERE stream = $1

-- name: named
SELECT stream, request_type, district FROM cases WHERE stream = ANY($1::text[])

-- name: escalations
SELECT e.stream, e.kind, e.due_at, e.noted_at, c.request_type, c.district, c.suspended
FROM escalations e JOIN cases c USING (stream) WHERE c.ended IS NULL ORDER BY e.noted_at DESC, e.stream LIMIT 200

-- name: undrawn
SELECT * FROM cases WHERE ended IS NULL AND confirmed AND drawn IS NULL ORDER BY submitted_at, stream LIMIT 200

-- name: suspended
SELECT * FROM cases WHERE ended IS NULL AND suspended ORDER BY submitted_at, stream LIMIT 200

-- name: desks
SELECT district, stage, count(*) AS cases FROM cases WHERE ended IS NULL AND drawn IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
