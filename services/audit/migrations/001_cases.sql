-- Only what finds a case; everything shown comes straight from the log.
CREATE TABLE cases (
    stream text PRIMARY KEY,
    tracking_code text NOT NULL UNIQUE,
    request_type text NOT NULL,
    district smallint NOT NULL,
    submitted_at timestamptz NOT NULL
);
CREATE INDEX cases_latest ON cases (submitted_at DESC);

GRANT SELECT, INSERT, UPDATE, DELETE ON cases TO audit;
