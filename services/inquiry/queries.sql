-- Each list begins behind the row that ended the page before, or before all. That is one value and not an OR: with an OR a prepared
-- plan reads the list from its beginning to find the place. The row only has to be the agency's own: an open question that ended a
-- page may be answered before the next page is asked for.

-- name: waiting
SELECT * FROM inquiries
WHERE agency = $1 AND state = 'open'
  AND (due_at, stream, inquiry_id) > (
      SELECT i.due_at, i.stream, i.inquiry_id FROM inquiries i WHERE i.stream = $2 AND i.inquiry_id = $3 AND i.agency = $1
      UNION ALL SELECT '-infinity', '', '' WHERE $2::text IS NULL)
ORDER BY due_at, stream, inquiry_id LIMIT $4

-- name: count_waiting
SELECT count(*) FROM inquiries WHERE agency = $1 AND state = 'open'

-- name: answered
SELECT * FROM inquiries
WHERE agency = $1 AND state = 'answered'
  AND (answered_at, stream, inquiry_id) < (
      SELECT i.answered_at, i.stream, i.inquiry_id FROM inquiries i WHERE i.stream = $2 AND i.inquiry_id = $3 AND i.agency = $1
      UNION ALL SELECT 'infinity', '', '' WHERE $2::text IS NULL)
ORDER BY answered_at DESC, stream DESC, inquiry_id DESC LIMIT $4
