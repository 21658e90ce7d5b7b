-- People who use the dashboard. What they do to an account is in its ledger, under their name; who they are is only here.
-- `role` is for the whole installation, '' for those who see nothing but the accounts that they are members of.

CREATE TABLE doneotp.operators (
    name       text        PRIMARY KEY,
    role       text        NOT NULL CHECK (role IN ('', 'operator', 'biller', 'auditor')),
    password   text        NOT NULL,  -- Argon2id, or '' for those who come by a link alone
    totp       bytea,                 -- the secret of the second factor, encrypted under a key that is not in this database
    totp_step  bigint      NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE doneotp.memberships (
    name       text NOT NULL REFERENCES doneotp.operators ON DELETE CASCADE,
    account_id text NOT NULL,
    role       text NOT NULL CHECK (role IN ('operator', 'biller', 'auditor')),
    PRIMARY KEY (name, account_id)
);

-- Of what a browser shows only the hash is kept.
CREATE TABLE doneotp.operator_sessions (
    token_sha256 bytea       PRIMARY KEY,
    name         text        NOT NULL REFERENCES doneotp.operators ON DELETE CASCADE,
    begun_at     timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL
);
CREATE INDEX operator_sessions_of ON doneotp.operator_sessions (name);

CREATE TABLE doneotp.login_tickets (
    ticket_sha256 bytea       PRIMARY KEY,
    name          text        NOT NULL REFERENCES doneotp.operators ON DELETE CASCADE,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX login_tickets_of ON doneotp.login_tickets (name);
