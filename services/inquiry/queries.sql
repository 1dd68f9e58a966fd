-- name: put_case
INSERT INTO cases (stream, request_type, district) VALUES ($1, $2, $3) ON CONFLICT (stream) DO NOTHING

-- name: ask
INSERT INTO inquiries (stream, inquiry_id, agency, question, blocking, request_type, district, version)
SELECT $1, $2, $3, $4, $5, c.request_type, c.district, $6 FROM cases c WHERE c.stream = $1
ON CONFLICT (stream, inquiry_id) DO UPDATE
SET opened_at = NULL, due_at = NULL, overdue = false, state = 'asked', answer = NULL, version = excluded.version

-- name: open
UPDATE inquiries SET state = 'open', opened_at = $3, due_at = $4, version = $5 WHERE stream = $1 AND inquiry_id = $2

-- name: answer
UPDATE inquiries SET state = 'answered', answer = $3, version = $4 WHERE stream = $1 AND inquiry_id = $2

-- name: withdraw
UPDATE inquiries SET state = 'withdrawn', version = $3 WHERE stream = $1 AND inquiry_id = $2

-- name: overdue
UPDATE inquiries SET overdue = true, version = $3 WHERE stream = $1 AND inquiry_id = $2

-- name: end_case
UPDATE inquiries SET state = 'ended', version = $2 WHERE stream = $1 AND state IN ('asked', 'open')

-- name: put_agency
INSERT INTO agencies (agency, name_fa, name_en) VALUES ($1, $2, $3)
ON CONFLICT (agency) DO UPDATE SET name_fa = excluded.name_fa, name_en = excluded.name_en

-- name: waiting
SELECT * FROM inquiries WHERE agency = $1 AND state = 'open' ORDER BY due_at, stream, inquiry_id LIMIT 200

-- name: answered
SELECT * FROM inquiries WHERE agency = $1 AND state = 'answered' ORDER BY due_at DESC, stream, inquiry_id LIMIT 50
