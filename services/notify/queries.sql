-- name: latest
SELECT template, channel, failed, at FROM messages ORDER BY at DESC, stream, version LIMIT $1

-- name: totals
SELECT channel, count(*) FILTER (WHERE failed IS NULL) AS sent, count(*) FILTER (WHERE failed IS NOT NULL) AS failed
FROM messages GROUP BY channel ORDER BY channel
