-- name: put_case
INSERT INTO cases (stream, tracking_code, request_type, district, submitted_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (stream) DO NOTHING

-- name: latest
SELECT * FROM cases ORDER BY submitted_at DESC, stream LIMIT 50

-- name: by_tracking_code
SELECT stream FROM cases WHERE tracking_code = $1
