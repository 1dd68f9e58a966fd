-- How far each reader of this service has applied each shard, and the streams that it could not apply.
CREATE TABLE checkpoints (
    reader text NOT NULL,
    version integer NOT NULL,
    shard smallint NOT NULL CHECK (shard BETWEEN 0 AND 63),
    epoch integer NOT NULL DEFAULT 1,
    seq bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    halted text,
    PRIMARY KEY (reader, version, shard)
);

CREATE TABLE parked_streams (
    reader text NOT NULL,
    version integer NOT NULL,
    stream text NOT NULL,
    shard smallint NOT NULL,
    from_version integer NOT NULL,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (reader, version, stream)
);

DO $$
DECLARE service text := regexp_replace(current_database(), '^.*_', '');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON checkpoints TO %I', service);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON parked_streams TO %I', service);
END $$;
