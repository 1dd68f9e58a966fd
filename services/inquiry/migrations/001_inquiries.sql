-- Inquiry's projections: one row for each question to an agency.
CREATE TABLE inquiries (
    stream text NOT NULL,
    inquiry_id text NOT NULL,
    agency text NOT NULL,
    question text NOT NULL,
    blocking boolean NOT NULL,
    request_type text NOT NULL,
    district smallint NOT NULL,
    opened_at timestamptz,
    due_at timestamptz,
    overdue boolean NOT NULL DEFAULT false,
    state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'open', 'answered', 'withdrawn', 'ended')),
    answer text,
    version integer NOT NULL,
    PRIMARY KEY (stream, inquiry_id)
);
CREATE INDEX inquiries_of_agency ON inquiries (agency, due_at) WHERE state = 'open';

CREATE TABLE cases (
    stream text PRIMARY KEY,
    request_type text NOT NULL,
    district smallint NOT NULL
);

CREATE TABLE agencies (
    agency text PRIMARY KEY,
    name_fa text NOT NULL,
    name_en text NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON inquiries, cases, agencies TO inquiry;
