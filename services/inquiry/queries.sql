-- name: waiting
SELECT * FROM inquiries WHERE agency = $1 AND state = 'open' ORDER BY due_at, stream, inquiry_id LIMIT 200

-- name: answered
SELECT * FROM inquiries WHERE agency = $1 AND state = 'answered' ORDER BY due_at DESC, stream, inquiry_id LIMIT 50
