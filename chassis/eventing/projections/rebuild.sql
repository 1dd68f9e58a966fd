-- name: claim
SELECT pg_try_advisory_lock($1)

-- name: has_schema
SELECT 1 FROM information_schema.schemata WHERE schema_name = $1

-- name: positions
SELECT shard, seq, halted FROM public.checkpoints WHERE reader = $1
AND version = (SELECT max(version) FROM public.checkpoints WHERE reader = $1) ORDER BY shard

-- name: hold
SELECT 1 FROM public.checkpoints WHERE reader = $1 ORDER BY version, shard FOR UPDATE

-- name: copy_grants
-- The new table has the rights of the one whose place it takes; LIKE does not copy them.
DO $$
DECLARE held record;
BEGIN
    FOR held IN SELECT grantee, privilege_type FROM information_schema.role_table_grants
                WHERE table_schema = 'public' AND table_name = '$table' LOOP
        EXECUTE format('GRANT %s ON $schema.$table TO %I', held.privilege_type, held.grantee);
    END LOOP;
END $$

-- name: digest
-- The same for the same rows in any order.
SELECT count(*) AS rows, sum(hashtextextended(r::text, 0)::numeric) AS digest FROM ($rows) r
