-- name: open_session
INSERT INTO web_sessions (token, subject, principal, idle_until, ends_at)
VALUES ($1, $2, $3::jsonb, now() + $4::interval, now() + $5::interval)

-- name: use_session
UPDATE web_sessions SET seen_at = now(), idle_until = now() + $2::interval
WHERE token = $1 AND idle_until > now() AND ends_at > now()
RETURNING principal

-- name: end_session
DELETE FROM web_sessions WHERE token = $1

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
