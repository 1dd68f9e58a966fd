-- name: keys_for
SELECT key_id, wrapped FROM vault.keys_for($1, $2, $3, $4, $5) ORDER BY n

-- name: key
SELECT class, wrapped FROM vault.key($1)

-- name: keys
SELECT u.key_id, k.class, k.wrapped FROM unnest($1::text[]) u (key_id) CROSS JOIN LATERAL vault.key(u.key_id) k

-- name: forget
SELECT vault.forget($1, $2)
