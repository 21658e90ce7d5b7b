-- What each witness cosigned last of the log over all logs: the text it signed, and its signature lines (C2SP tlog-cosignature).
-- They are published with the checkpoint as long as that is the one.
CREATE TABLE doneotp.cosignatures (
    witness text  PRIMARY KEY,
    size    bigint NOT NULL,
    text    bytea NOT NULL,
    lines   bytea NOT NULL
);
