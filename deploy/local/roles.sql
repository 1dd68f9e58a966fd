-- name: role_exists
SELECT 1 FROM pg_roles WHERE rolname = $1

-- name: database_exists
SELECT 1 FROM pg_database WHERE datname = $1

-- name: create_role
SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD %L', $1::text, $2::text)

-- name: set_password
SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)

-- name: set_timeouts
-- A client frozen inside BEGIN would hold its shard beyond every other timeout; a statement_timeout on a function does nothing.
SELECT format('ALTER ROLE %I SET statement_timeout = %L; ALTER ROLE %1$I SET idle_in_transaction_session_timeout = %L', $1::text, '30s', '10s')

-- name: create_database
SELECT format('CREATE DATABASE %I OWNER owner', $1::text)

-- name: close_database
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', $1::text)

-- name: allow_connect
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', $1::text, $2::text)

-- name: drop_database
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', $1::text)
