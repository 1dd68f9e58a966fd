-- Intake's projections: each row is a fold of one stream. No name, code or number of a person stands here, only keyed hashes.
CREATE TABLE cases (
    stream text PRIMARY KEY,
    tracking_code text NOT NULL UNIQUE,
    subject text,
    request_type text NOT NULL,
    district smallint NOT NULL,
    channel text NOT NULL,
    office text,
    out_of_hours boolean NOT NULL,
    submitted_at timestamptz NOT NULL,
    identity text NOT NULL DEFAULT 'waiting' CHECK (identity IN ('waiting', 'questioned', 'confirmed')),
    unreleased text[] NOT NULL DEFAULT '{}',
    correction boolean NOT NULL DEFAULT false,
    suspended boolean NOT NULL DEFAULT false,
    drawn boolean NOT NULL DEFAULT false,
    ended text,
    certificate_id text UNIQUE,
    changed_at timestamptz NOT NULL,
    version integer NOT NULL
);
CREATE INDEX cases_of_subject ON cases (subject, submitted_at DESC);
CREATE INDEX cases_of_office ON cases (office, submitted_at DESC) WHERE office IS NOT NULL;
CREATE INDEX cases_for_clerks ON cases (submitted_at) WHERE ended IS NULL AND (identity = 'waiting' OR unreleased <> '{}');

CREATE TABLE notices (
    stream text NOT NULL,
    version integer NOT NULL,
    template text NOT NULL,
    sent_at timestamptz NOT NULL,
    PRIMARY KEY (stream, version)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON cases, notices TO intake;
