-- name: open_session
INSERT INTO web_sessions (token, subject, principal, idle_until, ends_at, oidc_person, oidc_session)
VALUES ($1, $2, $3::jsonb, now() + $4::interval, now() + $5::interval, $6, $7)

-- name: use_session
-- The account is asked each time: who was closed, or has another role, office, agency or district, has no session any more,
-- also when the sign-in that made it was under way at that moment.
-- The end of the rest moves once in a thirtieth of it (a minute of half an hour): each move waits for the disk.
WITH used AS (
    SELECT s.token, s.principal, s.idle_until FROM web_sessions s
    WHERE s.token = $1 AND s.idle_until > now() AND s.ends_at > now()
    AND NOT EXISTS (
        SELECT FROM web_accounts a WHERE a.account_id = s.subject AND NOT (
            a.active AND a.role = s.principal->>'role' AND a.office IS NOT DISTINCT FROM s.principal->>'office'
            AND a.agency IS NOT DISTINCT FROM s.principal->>'agency' AND to_jsonb(a.districts) = s.principal->'districts'
        )
    )
), moved AS (
    UPDATE web_sessions w SET seen_at = now(), idle_until = now() + $2::interval
    FROM used WHERE w.token = used.token AND used.idle_until < now() + $2::interval * (29.0 / 30)
)
SELECT principal FROM used

-- name: end_session
DELETE FROM web_sessions WHERE token = $1 RETURNING oidc_person IS NOT NULL

-- name: end_issued
-- $1: a person, $2: a session at the issuer; either may be unknown. A session of the person that names none may be the one.
DELETE FROM web_sessions WHERE oidc_session = $2 OR (oidc_person = $1 AND (oidc_session IS NULL OR $2 IS NULL))

-- name: end_sessions_of
DELETE FROM web_sessions WHERE subject = $1

-- name: sweep_sessions
DELETE FROM web_sessions WHERE ends_at < now() OR idle_until < now()

-- name: account
SELECT account_id, password, role, name, office, agency, districts FROM web_accounts WHERE username = $1 AND active

-- name: put_account
INSERT INTO web_accounts (account_id, username, password, role, name, office, agency, districts, demonstration)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (account_id) DO NOTHING
RETURNING account_id

-- name: kept_account
SELECT account_id, username, role, name, office, agency, districts, active FROM web_accounts WHERE account_id = $1

-- name: kept_accounts
SELECT account_id, username, role, name, office, agency, districts, active FROM web_accounts ORDER BY role, account_id

-- name: change_account
UPDATE web_accounts SET role = $2, name = $3, office = $4, agency = $5 WHERE account_id = $1

-- name: open_account
UPDATE web_accounts SET password = $2, active = true WHERE account_id = $1

-- name: rehash
UPDATE web_accounts SET password = $2 WHERE account_id = $1

-- name: close_account
UPDATE web_accounts SET active = false WHERE account_id = $1

-- name: demonstration_accounts
SELECT count(*) FROM web_accounts WHERE demonstration AND active

-- name: mobile_of
SELECT mobile FROM web_citizens WHERE citizen = $1

-- name: bind_citizen
INSERT INTO web_citizens (citizen, mobile) VALUES ($1, $2) ON CONFLICT (citizen) DO NOTHING

-- name: put_code
INSERT INTO web_codes (challenge, citizen, mobile, code, attempts_left, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6::interval)

-- name: try_code
UPDATE web_codes SET attempts_left = attempts_left - 1
WHERE challenge = $1 AND attempts_left > 0 AND expires_at > now()
RETURNING citizen, mobile, code

-- name: spend_code
DELETE FROM web_codes WHERE challenge = $1

-- name: sweep_codes
DELETE FROM web_codes WHERE expires_at < now()

-- name: sweep_transactions
DELETE FROM web_oidc_transactions WHERE expires_at < now()

-- name: put_transaction
INSERT INTO web_oidc_transactions (state, browser, nonce, verifier, citizen, next, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7::interval)

-- name: take_transaction
DELETE FROM web_oidc_transactions WHERE state = $1 AND browser = $2 AND expires_at > now()
RETURNING nonce, verifier, citizen, next

-- name: bind_person
INSERT INTO web_oidc_citizens (person, citizen) VALUES ($1, $2) ON CONFLICT (person) DO NOTHING

-- name: citizen_of_person
SELECT citizen FROM web_oidc_citizens WHERE person = $1

-- name: rebind_citizen
INSERT INTO web_citizens (citizen, mobile) VALUES ($1, $2)
ON CONFLICT (citizen) DO UPDATE SET mobile = excluded.mobile WHERE web_citizens.mobile <> excluded.mobile
