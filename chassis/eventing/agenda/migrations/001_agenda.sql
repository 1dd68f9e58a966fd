-- What this service owes, put here in the transaction of the agenda's reader. Retry counts and leases are not rebuilt.
CREATE TABLE agenda (
    id bytea PRIMARY KEY CHECK (length(id) = 32),
    reaction text NOT NULL,
    key text NOT NULL,
    stream text NOT NULL,
    target text NOT NULL,
    cause_shard smallint NOT NULL,
    cause_seq bigint NOT NULL,
    cause_link bytea NOT NULL,
    ordinal smallint NOT NULL,
    due_at timestamptz,
    recipient text,
    details jsonb NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed', 'parked')),
    outcome text,
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT '-infinity',
    leased_until timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX agenda_open ON agenda (greatest(coalesce(due_at, '-infinity'), next_at, leased_until)) WHERE state = 'open';
CREATE INDEX agenda_in_order ON agenda (stream, recipient, cause_seq, ordinal) WHERE state = 'open' AND recipient IS NOT NULL;
CREATE INDEX agenda_by_key ON agenda (stream, reaction) WHERE state <> 'closed';
CREATE INDEX agenda_parked ON agenda (stream) WHERE state = 'parked';

DO $$
DECLARE service text := regexp_replace(current_database(), '^.*_', '');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON agenda TO %I', service);
END $$;
