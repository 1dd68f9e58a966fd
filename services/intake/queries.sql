-- A list of filings begins behind the case that ended the page before, or before all. That is one value and not an OR: with an OR a
-- prepared plan reads the list from its beginning to find the place.

-- name: mine
SELECT * FROM cases
WHERE subject = $1
  AND (submitted_at, stream) < (
      SELECT c.submitted_at, c.stream FROM cases c WHERE c.stream = $2 AND c.subject = $1
      UNION ALL SELECT 'infinity', '' WHERE $2::text IS NULL)
ORDER BY submitted_at DESC, stream DESC LIMIT $3

-- name: of_office
SELECT * FROM cases
WHERE office = $1
  AND (submitted_at, stream) < (
      SELECT c.submitted_at, c.stream FROM cases c WHERE c.stream = $2 AND c.office = $1
      UNION ALL SELECT 'infinity', '' WHERE $2::text IS NULL)
ORDER BY submitted_at DESC, stream DESC LIMIT $3

-- name: case
SELECT * FROM cases WHERE stream = $1

-- name: by_tracking_code
SELECT * FROM cases WHERE tracking_code = $1

-- name: by_certificate
SELECT * FROM cases WHERE certificate_id = $1

-- name: for_clerks
SELECT * FROM cases WHERE ended IS NULL AND (identity = 'waiting' OR (identity = 'confirmed' AND unreleased <> '{}'))
ORDER BY submitted_at, stream LIMIT $1

-- name: waiting_for_clerks
SELECT count(*) FROM cases WHERE ended IS NULL AND (identity = 'waiting' OR (identity = 'confirmed' AND unreleased <> '{}'))

-- name: notices
SELECT version, about, template, recipient, channel, failed, sent_at FROM notices WHERE stream = $1 ORDER BY version DESC

-- name: notices_of_office
SELECT n.stream, n.template, n.sent_at, c.tracking_code, c.request_type, n.version > coalesce(s.version, 0) AS unread
FROM notices n JOIN cases c USING (stream) LEFT JOIN seen_notices s ON s.office = n.office AND s.stream = n.stream
WHERE n.office = $1 ORDER BY n.sent_at DESC, n.stream, n.version DESC LIMIT $2

-- name: unread_of_office
SELECT count(*) FROM notices n LEFT JOIN seen_notices s ON s.office = n.office AND s.stream = n.stream
WHERE n.office = $1 AND n.sent_at > now() - $2::interval AND n.version > coalesce(s.version, 0)

-- name: see_case
INSERT INTO seen_notices (office, stream, version) VALUES ($1, $2, $3)
ON CONFLICT (office, stream) DO UPDATE SET version = greatest(seen_notices.version, excluded.version)

-- name: see_all
INSERT INTO seen_notices (office, stream, version)
SELECT office, stream, max(version) FROM notices WHERE office = $1 AND sent_at <= $2 GROUP BY office, stream
ON CONFLICT (office, stream) DO UPDATE SET version = greatest(seen_notices.version, excluded.version)

-- name: figures
SELECT count(*) AS filed, count(*) FILTER (WHERE ended IS NOT NULL) AS ended, count(*) FILTER (WHERE out_of_hours) AS out_of_hours
FROM cases
