-- name: add_tasks
-- Many items at once, by columns.
INSERT INTO agenda (id, reaction, key, stream, target, cause_shard, cause_seq, cause_link, ordinal, due_at, recipient, details,
                    state, outcome)
SELECT u.id, u.reaction, u.key, u.stream, u.target, u.cause_shard, u.cause_seq, u.cause_link, u.ordinal, u.due_at, u.recipient,
       u.details::jsonb, u.state, u.outcome
FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::bigint[], $8::bytea[], $9::smallint[],
            $10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::text[])
     u (id, reaction, key, stream, target, cause_shard, cause_seq, cause_link, ordinal, due_at, recipient, details, state, outcome)
ON CONFLICT (id) DO NOTHING

-- name: close_by_fact
UPDATE agenda SET state = 'closed', outcome = 'done' WHERE id = ANY($1::bytea[]) AND state <> 'closed'

-- name: cancel
-- Only what was owed before the cancelling fact: a fact that is read again must not take away what a later one made owed.
UPDATE agenda a SET state = 'closed', outcome = 'cancelled'
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) u (stream, reaction, key, seq)
WHERE a.stream = u.stream AND a.reaction = u.reaction AND a.key = u.key AND a.cause_seq < u.seq AND a.state <> 'closed'

-- name: claim
-- A short transaction of its own: no lock is held while an item is carried out. Items of one recipient go in order.
UPDATE agenda SET leased_until = now() + $2::interval, attempts = attempts + 1
WHERE id IN (
    SELECT a.id FROM agenda a
    WHERE a.state = 'open' AND greatest(coalesce(a.due_at, '-infinity'), a.next_at, a.leased_until) <= now()
      AND (a.recipient IS NULL OR NOT EXISTS (
          SELECT 1 FROM agenda e
          WHERE e.stream = a.stream AND e.recipient = a.recipient AND e.state = 'open'
            AND (e.cause_seq, e.ordinal, e.reaction) < (a.cause_seq, a.ordinal, a.reaction)))
    ORDER BY greatest(coalesce(a.due_at, '-infinity'), a.next_at, a.leased_until), a.cause_seq, a.ordinal
    LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING id, reaction, key, stream, target, cause_shard, cause_seq, cause_link, ordinal, due_at, recipient, details, attempts

-- name: close
UPDATE agenda SET state = 'closed', outcome = $2 WHERE id = $1 AND state = 'open'

-- name: park
UPDATE agenda SET state = 'parked', outcome = $2, parked_at = now() WHERE id = $1 AND state = 'open'

-- name: retry
-- The reason stands in `outcome` while the item is open: who looks at the list must see why it is not done.
UPDATE agenda SET next_at = now() + $2::interval, leased_until = '-infinity', outcome = $3 WHERE id = $1 AND state = 'open'

-- name: postpone
UPDATE agenda SET next_at = $2, leased_until = '-infinity', attempts = 0 WHERE id = $1 AND state = 'open'

-- name: release
UPDATE agenda SET state = 'open', outcome = NULL, attempts = 0, next_at = '-infinity', leased_until = '-infinity', parked_at = NULL
WHERE id = $1 AND state = 'parked'

-- name: parked
SELECT id, reaction, stream, outcome, attempts, parked_at, details FROM agenda
WHERE state = 'parked' ORDER BY stream, cause_seq, ordinal LIMIT $1

-- name: trying
SELECT id, reaction, stream, outcome, attempts, next_at, details FROM agenda WHERE state = 'open' AND attempts >= $1
ORDER BY attempts DESC, stream, cause_seq, ordinal LIMIT $2

-- name: carry_over
-- An item in somebody's hands must not be claimed by another because of a rebuild, and a parked one stays parked.
UPDATE agenda a SET state = o.state, outcome = o.outcome, attempts = o.attempts, next_at = o.next_at, leased_until = o.leased_until,
    parked_at = o.parked_at
FROM public.agenda o WHERE o.id = a.id AND a.state = 'open'

-- name: overview
SELECT count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'parked') AS parked,
    count(*) FILTER (WHERE due) AS due, count(*) FILTER (WHERE state = 'open' AND attempts >= $1) AS trying,
    coalesce(extract(epoch FROM max(now() - coalesce(due_at, next_at)) FILTER (WHERE due AND isfinite(coalesce(due_at, next_at)))), 0)
        AS oldest_seconds
FROM (SELECT state, due_at, next_at, attempts, state = 'open' AND greatest(coalesce(due_at, '-infinity'), next_at) <= now() AS due
      FROM agenda WHERE state <> 'closed') a
