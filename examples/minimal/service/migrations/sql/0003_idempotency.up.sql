-- The id is the SHA-256 of principal, operation and key: short, and telling nothing about them.
CREATE TABLE idempotency_keys (
    id          bytea       PRIMARY KEY,
    fingerprint bytea       NOT NULL,
    status      smallint    NOT NULL,
    headers     jsonb       NOT NULL,
    body        bytea       NOT NULL,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_sha256 CHECK (octet_length(id) = 32 AND octet_length(fingerprint) = 32)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
