-- Facts that are posted to endpoints of customers. The ledger is the outbox: up to where a log was looked through moves in
-- the transaction that stores what has to be delivered. What is posted is made from the event itself and never here.

CREATE TABLE doneotp.webhook_cursors (
    log      text   PRIMARY KEY,
    position bigint NOT NULL
) WITH (fillfactor = 50);

-- The endpoints as the events up to the cursor say; `position` is that of the last one. `failures` in a row, `waiting` in all.
CREATE TABLE doneotp.webhook_endpoints (
    log            text    NOT NULL,
    endpoint_id    text    NOT NULL,
    position       bigint  NOT NULL,
    url            text    NOT NULL,
    types          text[]  NOT NULL,
    added_at       timestamptz NOT NULL,
    secret_number  integer NOT NULL,
    previous_until timestamptz,
    disabled       text    NOT NULL,
    failures       integer NOT NULL DEFAULT 0,
    waiting        integer NOT NULL DEFAULT 0,
    PRIMARY KEY (log, endpoint_id)
) WITH (fillfactor = 50);

-- One event for one endpoint. `about` is the verification within which order is kept: what waits for an earlier one of it is
-- due at infinity. `tries` begins anew with a replay, `attempts` never.
CREATE TABLE doneotp.webhook_deliveries (
    log           text        NOT NULL,
    endpoint_id   text        NOT NULL,
    position      bigint      NOT NULL,
    about         text        NOT NULL,
    status        text        NOT NULL CHECK (status IN ('waiting', 'delivered', 'given_up')),
    tries         integer     NOT NULL,
    attempts      integer     NOT NULL,
    due_at        timestamptz NOT NULL,
    claimed_until timestamptz,
    finished_at   timestamptz,
    PRIMARY KEY (log, endpoint_id, position)
) WITH (fillfactor = 70);

CREATE INDEX webhook_deliveries_due ON doneotp.webhook_deliveries (log, endpoint_id, due_at, position) WHERE status = 'waiting';
CREATE INDEX webhook_deliveries_in_order ON doneotp.webhook_deliveries (log, endpoint_id, about, position)
    WHERE status = 'waiting' AND about <> '';
CREATE INDEX webhook_deliveries_claimed ON doneotp.webhook_deliveries (log, endpoint_id, claimed_until)
    WHERE claimed_until IS NOT NULL;
CREATE INDEX webhook_deliveries_finished ON doneotp.webhook_deliveries (finished_at) WHERE finished_at IS NOT NULL;

-- What became of each post. `status` is the answer's, or null; of its content nothing is kept.
CREATE TABLE doneotp.webhook_attempts (
    log         text        NOT NULL,
    endpoint_id text        NOT NULL,
    position    bigint      NOT NULL,
    number      integer     NOT NULL,
    at          timestamptz NOT NULL,
    status      integer,
    error       text        NOT NULL,
    duration_ms integer     NOT NULL,
    PRIMARY KEY (log, endpoint_id, position, number)
);
