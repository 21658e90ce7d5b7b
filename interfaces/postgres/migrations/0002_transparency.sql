-- The transparency log: one RFC 6962 tree for each log, and one over the heads of them all, whose log name is ''.
-- Leaves are hashes of doneotp.events as stored. What is signed is kept outside the database as well.

-- `note` is the signed checkpoint of the first `noted_size` leaves; it follows `size` within the second.
CREATE TABLE doneotp.trees (
    log        text   PRIMARY KEY,
    size       bigint NOT NULL,
    root       bytea  NOT NULL,
    noted_size bigint NOT NULL DEFAULT 0,
    note       bytea
) WITH (fillfactor = 50);

CREATE INDEX trees_without_note ON doneotp.trees (log) WHERE noted_size < size;

-- C2SP tlog-tiles: up to 256 hashes of 32 bytes; only the last tile of a level is ever replaced, by a wider one.
CREATE TABLE doneotp.tiles (
    log    text     NOT NULL,
    level  smallint NOT NULL,
    index  bigint   NOT NULL,
    hashes bytea    NOT NULL,
    PRIMARY KEY (log, level, index)
);

-- The leaves of the log over all logs: the head that a log had at one seal.
CREATE TABLE doneotp.account_heads (
    index bigint PRIMARY KEY,
    log   text   NOT NULL,
    size  bigint NOT NULL,
    root  bytea  NOT NULL
);

CREATE UNIQUE INDEX account_heads_by_log ON doneotp.account_heads (log, size);

-- The public keys that signed, in their order; the secret ones are derived and never here.
CREATE TABLE doneotp.log_keys (
    number integer     PRIMARY KEY,
    vkey   text        NOT NULL,
    since  timestamptz NOT NULL DEFAULT now()
);

-- A keyed fingerprint of the root secret under which this database was begun: another one would find nothing again.
CREATE TABLE doneotp.root_secret (
    is_only     boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    fingerprint bytea   NOT NULL
);
