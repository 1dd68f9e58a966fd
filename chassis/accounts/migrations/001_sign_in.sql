-- Accounts, citizens, one-time codes and sessions of one service, in its own database.
-- Neither a national code nor a mobile number nor a one-time code nor a session token stands here: only keyed hashes.

CREATE TABLE web_accounts (
    account_id text PRIMARY KEY,
    username text NOT NULL UNIQUE CHECK (username = lower(username)),
    password text NOT NULL,
    role text NOT NULL,
    name text NOT NULL,
    office text,
    agency text,
    districts smallint[] NOT NULL DEFAULT '{}',
    active boolean NOT NULL DEFAULT true,
    demonstration boolean NOT NULL DEFAULT false
);

CREATE TABLE web_citizens (
    citizen bytea PRIMARY KEY,
    mobile bytea NOT NULL
);

CREATE TABLE web_codes (
    challenge bytea PRIMARY KEY,
    citizen bytea NOT NULL,
    mobile bytea NOT NULL,
    code bytea NOT NULL,
    attempts_left smallint NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX web_codes_expires ON web_codes (expires_at);

CREATE TABLE web_sessions (
    token bytea PRIMARY KEY,
    subject text NOT NULL,
    principal jsonb NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    idle_until timestamptz NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX web_sessions_subject ON web_sessions (subject);
CREATE INDEX web_sessions_ends ON web_sessions (ends_at);

-- The owner owns the tables; the service's role, named as its database without a test's prefix, may work with the rows.
DO $$
DECLARE service text := regexp_replace(current_database(), '^.*_', '');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON web_accounts, web_citizens, web_codes, web_sessions TO %I', service);
END $$;
