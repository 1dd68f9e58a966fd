-- name: waiting
SELECT * FROM inquiries WHERE agency = $1 AND state = 'open' ORDER BY due_at, stream, inquiry_id LIMIT 200

-- name: answered
SELECT * FROM inquiries
WHERE agency = $1 AND state = 'answered'
  AND ($2::text IS NULL OR (answered_at, stream, inquiry_id) < (
      SELECT i.answered_at, i.stream, i.inquiry_id FROM inquiries i
      WHERE i.stream = $2 AND i.inquiry_id = $3 AND i.agency = $1 AND i.state = 'answered'))
ORDER BY answered_at DESC, stream DESC, inquiry_id DESC LIMIT $4
