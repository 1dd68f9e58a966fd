-- name: latest
SELECT * FROM cases ORDER BY submitted_at DESC, stream LIMIT 50

-- name: by_tracking_code
SELECT stream FROM cases WHERE tracking_code = $1
