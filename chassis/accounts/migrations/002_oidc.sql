-- Sign-in by OpenID Connect: transactions under way, which citizen a person of the issuer is, and which session at the issuer
-- one of ours stands on. Neither the issuer's name of a person nor that of a session stands here: only keyed hashes.

CREATE TABLE web_oidc_transactions (
    state bytea PRIMARY KEY,
    browser bytea NOT NULL,
    nonce text NOT NULL,
    verifier text NOT NULL,
    citizen boolean NOT NULL,
    next text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX web_oidc_transactions_expires ON web_oidc_transactions (expires_at);

CREATE TABLE web_oidc_citizens (
    person bytea PRIMARY KEY,
    citizen bytea NOT NULL
);

ALTER TABLE web_sessions ADD COLUMN oidc_person bytea, ADD COLUMN oidc_session bytea;
CREATE INDEX web_sessions_oidc_person ON web_sessions (oidc_person) WHERE oidc_person IS NOT NULL;
CREATE INDEX web_sessions_oidc_session ON web_sessions (oidc_session) WHERE oidc_session IS NOT NULL;

DO $$
DECLARE service text := regexp_replace(current_database(), '^.*_', '');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON web_oidc_transactions, web_oidc_citizens TO %I', service);
END $$;
