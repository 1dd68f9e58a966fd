-- How far each shard was published. A mark lost or behind means repeats, which every reader skips; never a loss.
CREATE TABLE relay_marks (
    shard smallint PRIMARY KEY CHECK (shard BETWEEN 0 AND 63),
    seq bigint NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON relay_marks TO relay;
