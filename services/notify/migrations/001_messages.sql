-- What was told, by which channel. No address and no words: those are made when a message is sent and kept nowhere.
CREATE TABLE messages (
    stream text NOT NULL,
    version integer NOT NULL,
    template text NOT NULL,
    channel text NOT NULL,
    failed text,
    at timestamptz NOT NULL,
    PRIMARY KEY (stream, version)
);
CREATE INDEX messages_latest ON messages (at DESC);

GRANT SELECT, INSERT, UPDATE, DELETE ON messages TO notify;
