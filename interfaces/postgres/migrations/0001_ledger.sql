-- The ledger. An account's log is the unit: it comes first in every key, positions in it are dense, and its head row
-- hands them out. No sequence, no NOTIFY, no cross-account constraint: the same DDL can be distributed by log.

CREATE TABLE doneotp.heads (
    log      text   PRIMARY KEY,
    position bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE doneotp.events (
    log         text    NOT NULL,
    position    bigint  NOT NULL,
    stream      text    NOT NULL,
    version     integer NOT NULL,
    event_id    uuid    NOT NULL,
    topic       text    NOT NULL,
    body        bytea   NOT NULL,
    idempotency text,
    PRIMARY KEY (log, position)
);

CREATE UNIQUE INDEX events_by_stream ON doneotp.events (log, stream, version);
CREATE INDEX events_by_idempotency ON doneotp.events (log, idempotency, position) WHERE idempotency IS NOT NULL;

CREATE FUNCTION doneotp.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are never changed or removed' USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE TRIGGER events_are_facts BEFORE UPDATE OR DELETE ON doneotp.events
    FOR EACH ROW EXECUTE FUNCTION doneotp.refuse_change();
CREATE TRIGGER events_stay BEFORE TRUNCATE ON doneotp.events
    FOR EACH STATEMENT EXECUTE FUNCTION doneotp.refuse_change();

-- Folded states, so that long streams load at once. May be emptied at any time.
CREATE TABLE doneotp.snapshots (
    log      text    NOT NULL,
    stream   text    NOT NULL,
    version  integer NOT NULL,
    position bigint  NOT NULL,
    topic    text    NOT NULL,
    state    bytea   NOT NULL,
    PRIMARY KEY (log, stream)
);

-- Up to which position of a log every handoff is known to be settled. May be emptied at any time.
CREATE TABLE doneotp.handoff_marks (
    log      text   PRIMARY KEY,
    position bigint NOT NULL
);

-- Append events to many logs in one transaction. Heads are locked in a fixed order, so that writers never deadlock; a log
-- whose head is not where its caller thinks is left out whole and named in the answer.
CREATE FUNCTION doneotp.append(
    of_log text[], of_head bigint[], of_count integer[],
    e_log text[], e_position bigint[], e_stream text[], e_version integer[],
    e_id uuid[], e_topic text[], e_body bytea[], e_idempotency text[]
) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    moved text[];
BEGIN
    IF 0 = ANY (of_head) THEN
        INSERT INTO doneotp.heads (log, position)
        SELECT f.log, 0 FROM unnest(of_log, of_head) AS f (log, head) WHERE f.head = 0 ORDER BY f.log
        ON CONFLICT DO NOTHING;
    END IF;
    PERFORM 1 FROM doneotp.heads WHERE log = ANY (of_log) ORDER BY log FOR UPDATE;
    SELECT coalesce(array_agg(f.log), '{}') INTO moved
    FROM unnest(of_log, of_head) AS f (log, head)
    LEFT JOIN doneotp.heads AS h USING (log)
    WHERE h.position IS DISTINCT FROM f.head;
    UPDATE doneotp.heads AS h SET position = h.position + f.count
    FROM unnest(of_log, of_head, of_count) AS f (log, head, count)
    WHERE h.log = f.log AND h.position = f.head;
    INSERT INTO doneotp.events (log, position, stream, version, event_id, topic, body, idempotency)
    SELECT e.log, e.position, e.stream, e.version, e.id, e.topic, e.body, e.idempotency
    FROM unnest(e_log, e_position, e_stream, e_version, e_id, e_topic, e_body, e_idempotency)
        AS e (log, position, stream, version, id, topic, body, idempotency)
    WHERE e.log <> ALL (moved);
    RETURN moved;
END
$$;
