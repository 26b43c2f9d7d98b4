"""The SQL of accounts and sessions, one named statement each."""

from typing import Final, LiteralString

INSERT_USER: Final[LiteralString] = """
    INSERT INTO users (email, password_hash, role)
    VALUES (%(email)s, %(password_hash)s, %(role)s)
    ON CONFLICT (email) DO NOTHING
    RETURNING id, email, role, created_at
"""

USER_BY_EMAIL: Final[LiteralString] = """
    SELECT id, password_hash, disabled_at IS NULL AS enabled
    FROM users
    WHERE email = %(email)s
"""

USER_BY_ID: Final[LiteralString] = """
    SELECT id, email, role, created_at
    FROM users
    WHERE id = %(user_id)s
"""

# Only over the hash that was verified: a password that changed meanwhile stays changed.
UPGRADE_HASH: Final[LiteralString] = """
    UPDATE users
    SET password_hash = %(better)s
    WHERE id = %(user_id)s AND password_hash = %(password_hash)s
    RETURNING id
"""

SET_ROLE: Final[LiteralString] = """
    UPDATE users
    SET role = %(role)s
    WHERE email = %(email)s
    RETURNING id
"""

INSERT_SESSION: Final[LiteralString] = """
    INSERT INTO sessions (user_id, expires_at)
    VALUES (%(user_id)s, now() + make_interval(secs => %(lifetime)s))
    RETURNING id
"""

LIVE_SESSION: Final[LiteralString] = """
    SELECT s.user_id, u.role
    FROM sessions s
    JOIN users u ON u.id = s.user_id
    WHERE s.id = %(session_id)s
      AND s.revoked_at IS NULL
      AND s.expires_at > now()
      AND u.disabled_at IS NULL
"""

EXTEND_SESSION: Final[LiteralString] = """
    UPDATE sessions
    SET expires_at = now() + make_interval(secs => %(lifetime)s)
    WHERE id = %(session_id)s
"""

REVOKE_SESSION: Final[LiteralString] = """
    UPDATE sessions
    SET revoked_at = now()
    WHERE id = %(session_id)s AND revoked_at IS NULL
"""

INSERT_REFRESH: Final[LiteralString] = """
    INSERT INTO refresh_tokens (token_hash, session_id)
    VALUES (%(token_hash)s, %(session_id)s)
"""

# Both rows are locked: who had to wait sees what the winner of the race has written.
LOCK_REFRESH: Final[LiteralString] = """
    SELECT s.user_id,
           t.session_id,
           t.used_at IS NOT NULL AS used,
           s.revoked_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL AS alive
    FROM refresh_tokens t
    JOIN sessions s ON s.id = t.session_id
    JOIN users u ON u.id = s.user_id
    WHERE t.token_hash = %(token_hash)s
    FOR UPDATE OF t, s
"""

USE_REFRESH: Final[LiteralString] = """
    UPDATE refresh_tokens
    SET used_at = now()
    WHERE token_hash = %(token_hash)s
"""

# In small batches, so that no sign-in ever waits for the cleanup.
PRUNE_SESSIONS: Final[LiteralString] = """
    WITH expired AS (
        SELECT id FROM sessions
        WHERE expires_at < now()
        LIMIT %(batch)s
        FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM sessions
        WHERE id IN (SELECT id FROM expired)
        RETURNING id
    )
    SELECT count(*) AS deleted FROM deleted
"""

PRUNE_REFRESH_TOKENS: Final[LiteralString] = """
    WITH expired AS (
        SELECT token_hash FROM refresh_tokens
        WHERE created_at < now() - make_interval(secs => %(lifetime)s)
        LIMIT %(batch)s
        FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM refresh_tokens
        WHERE token_hash IN (SELECT token_hash FROM expired)
        RETURNING token_hash
    )
    SELECT count(*) AS deleted FROM deleted
"""
