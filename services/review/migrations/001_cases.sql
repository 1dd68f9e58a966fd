-- Review's projections. Nothing here can hold a person: identity and contact are sealed with keys that review cannot open.
CREATE TABLE cases (
    stream text PRIMARY KEY,
    request_type text NOT NULL,
    district smallint NOT NULL,
    office text,
    submitted_at timestamptz NOT NULL,
    confirmed boolean NOT NULL DEFAULT false,
    stage text,
    round integer NOT NULL DEFAULT 0,
    committed boolean NOT NULL DEFAULT false,
    drawn text,
    drawn_at timestamptz,
    due_at timestamptz,
    correction boolean NOT NULL DEFAULT false,
    inquiries text[] NOT NULL DEFAULT '{}',
    suspended boolean NOT NULL DEFAULT false,
    ended text,
    version integer NOT NULL
);
CREATE INDEX cases_drawn ON cases (drawn_at) WHERE ended IS NULL AND drawn IS NOT NULL;
CREATE INDEX cases_of_desk ON cases (district, stage) WHERE ended IS NULL;

CREATE TABLE reviewers (
    staff text PRIMARY KEY,
    districts smallint[] NOT NULL,
    stages text[] NOT NULL,
    weight integer NOT NULL,
    office text,
    active boolean NOT NULL
);

CREATE TABLE escalations (
    stream text NOT NULL,
    version integer NOT NULL,
    kind text NOT NULL,
    due_at timestamptz NOT NULL,
    noted_at timestamptz NOT NULL,
    PRIMARY KEY (stream, version)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON cases, reviewers, escalations TO review;
