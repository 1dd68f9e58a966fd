-- name: assigned
SELECT stream, stage, round, drawn FROM cases WHERE ended IS NULL AND drawn IS NOT NULL

-- By stream and alias: a case that was drawn anew since the aliases were compared is no longer theirs.
-- name: queue
SELECT c.* FROM cases c JOIN unnest($1::text[], $2::text[]) AS mine (stream, drawn) USING (stream, drawn)
WHERE c.ended IS NULL ORDER BY c.due_at NULLS LAST, c.drawn_at, c.stream

-- name: everybody
SELECT staff FROM reviewers ORDER BY staff

-- name: reviewers
SELECT * FROM reviewers WHERE active ORDER BY staff

-- name: case
SELECT * FROM cases WHERE stream = $1

-- name: named
SELECT stream, request_type, district FROM cases WHERE stream = ANY($1::text[])

-- Each of the supervisor's lists begins behind the row that ended the page before, or before all. That row only has to be known: its
-- case may have moved on before the next page is asked for. The place is one value and not an OR, which a prepared plan could only
-- find by reading the list from its beginning.

-- name: escalations
WITH place AS (
    SELECT noted_at, stream, version FROM escalations WHERE stream = $1 AND version::text = $2
    UNION ALL SELECT 'infinity', '', 0 WHERE $1::text IS NULL)
SELECT e.stream, e.version, e.kind, e.due_at, c.request_type, c.district
FROM escalations e JOIN cases c USING (stream)
WHERE c.ended IS NULL AND e.noted_at <= (SELECT noted_at FROM place)
  AND (e.noted_at < (SELECT noted_at FROM place) OR (e.stream, e.version) > (SELECT stream, version FROM place))
ORDER BY e.noted_at DESC, e.stream, e.version LIMIT $3

-- name: undrawn
SELECT stream, request_type, district, committed FROM cases
WHERE ended IS NULL AND confirmed AND drawn IS NULL
  AND (submitted_at, stream) > (
      SELECT c.submitted_at, c.stream FROM cases c WHERE c.stream = $1 UNION ALL SELECT '-infinity', '' WHERE $1::text IS NULL)
ORDER BY submitted_at, stream LIMIT $2

-- name: suspended
SELECT stream, request_type, district FROM cases
WHERE ended IS NULL AND suspended
  AND (submitted_at, stream) > (
      SELECT c.submitted_at, c.stream FROM cases c WHERE c.stream = $1 UNION ALL SELECT '-infinity', '' WHERE $1::text IS NULL)
ORDER BY submitted_at, stream LIMIT $2

-- name: supervised
SELECT (SELECT count(*) FROM escalations e JOIN cases c USING (stream) WHERE c.ended IS NULL) AS escalations,
    (SELECT count(*) FROM cases WHERE ended IS NULL AND confirmed AND drawn IS NULL) AS undrawn,
    (SELECT count(*) FROM cases WHERE ended IS NULL AND suspended) AS suspended

-- name: desks
SELECT district, stage, count(*) AS cases FROM cases WHERE ended IS NULL AND drawn IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
