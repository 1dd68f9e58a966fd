-- Who was told of what, by which way, and whether it failed; the office that filed has a list of its own.
-- Version 2 of the reader `cases` builds both tables anew from the log: a row of version 1 does not say who was told.
DROP TABLE notices;
CREATE TABLE notices (
    stream text NOT NULL,
    version integer NOT NULL,
    about text NOT NULL,
    template text NOT NULL,
    recipient text NOT NULL CHECK (recipient IN ('applicant', 'office')),
    channel text NOT NULL,
    failed text,
    office text,
    sent_at timestamptz NOT NULL,
    PRIMARY KEY (stream, version)
);
CREATE INDEX notices_of_office ON notices (office, sent_at DESC) WHERE office IS NOT NULL;
TRUNCATE cases;
DELETE FROM checkpoints WHERE reader = 'cases';
DELETE FROM parked_streams WHERE reader = 'cases';

-- How far an office has read; of the day, like a session: in no fact, in no rebuild (docs/decisions/0013).
CREATE TABLE seen_notices (
    office text NOT NULL,
    stream text NOT NULL,
    version integer NOT NULL,
    PRIMARY KEY (office, stream)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON notices, seen_notices TO intake;
