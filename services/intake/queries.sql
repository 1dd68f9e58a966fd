-- name: put_case
INSERT INTO cases (stream, tracking_code, subject, request_type, district, channel, office, out_of_hours, submitted_at, unreleased,
                   changed_at, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9, $11)
ON CONFLICT (stream) DO UPDATE
SET subject = excluded.subject, identity = 'waiting', unreleased = excluded.unreleased, correction = false, suspended = false,
    drawn = false, ended = NULL, certificate_id = NULL, changed_at = excluded.changed_at, version = excluded.version

-- name: touch
UPDATE cases SET version = $2, changed_at = $3 WHERE stream = $1

-- name: set_identity
UPDATE cases SET identity = $2 WHERE stream = $1

-- name: add_unreleased
UPDATE cases SET unreleased = unreleased || $2::text[] WHERE stream = $1

-- name: release
UPDATE cases SET unreleased = array_remove(unreleased, $2::text) WHERE stream = $1

-- name: set_correction
UPDATE cases SET correction = $2 WHERE stream = $1

-- name: set_suspended
UPDATE cases SET suspended = $2 WHERE stream = $1

-- name: set_drawn
UPDATE cases SET drawn = $2 WHERE stream = $1

-- name: end_case
UPDATE cases SET ended = $2, correction = false, unreleased = '{}' WHERE stream = $1

-- name: set_certificate
UPDATE cases SET certificate_id = $2 WHERE stream = $1

-- name: put_notice
INSERT INTO notices (stream, version, template, sent_at) VALUES ($1, $2, $3, $4) ON CONFLICT (stream, version) DO NOTHING

-- name: mine
SELECT * FROM cases WHERE subject = $1 ORDER BY submitted_at DESC, stream LIMIT 200

-- name: of_office
SELECT * FROM cases
WHERE office = $1
  AND ($2::text IS NULL OR (submitted_at, stream) < (SELECT c.submitted_at, c.stream FROM cases c WHERE c.stream = $2 AND c.office = $1))
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
SELECT template, sent_at FROM notices WHERE stream = $1 ORDER BY version DESC

-- name: figures
SELECT count(*) AS filed, count(*) FILTER (WHERE ended IS NOT NULL) AS ended, count(*) FILTER (WHERE out_of_hours) AS out_of_hours
FROM cases
