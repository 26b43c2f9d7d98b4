"""What names a secret, and what looks like one that is in use: for files of settings, where every value is text."""

from __future__ import annotations

import math
import re
from collections import Counter

SECRET = re.compile(
    r"(?:^|_)(?:SECRET(?:_?KEY)?(?:_BASE)?|PASSWORD|PASSWD|PASSPHRASE|PRIVATE_?KEY|API_?KEY|ACCESS_?KEY|AUTH_?TOKEN|ACCESS_?TOKEN|API_?TOKEN"
    r"|CLIENT_?SECRET|SIGNING_?KEY|ENCRYPTION_?KEY|WEBHOOK_?SECRET|JWT_?(?:SECRET|KEY)|TOKEN|CREDENTIALS)$",
    re.IGNORECASE,
)
PUBLIC = re.compile(
    r"PUBLIC|PUBLISHABLE|_ID$|_PATH$|_FILE$|_URL$|_URI$|_NAME$|_HEADER$|_ALGORITHM$|^VITE_|^REACT_APP_|^NEXT_PUBLIC_|SITE_?KEY|CSRF|MAX_|MIN_|TTL|EXPIRE",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(
    r"change|replace|example|placeholder|dummy|sample|insert|todo|fixme|xxx|your|my[-_]|here|fake|test|dev|local|secret|password|passwd"
    r"|default|admin|insecure|not[-_]|none|null|unset|empty|foo|bar|<|>|\$\{|\$\(|^\$|\{\{|%\(|\*\*\*|\.\.\.|abc|123456|qwerty|00000",
    re.IGNORECASE,
)
KNOWN = re.compile(
    r"(?:AKIA|ASIA)[A-Z2-7]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,}|[sr]k_live_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{20,}"
    r"|AIza[A-Za-z0-9_-]{35}|-----BEGIN (?:\w+ )*PRIVATE KEY-----"
    r"|SG\.[\w-]{20,}\.[\w-]{40,}|glpat-[\w-]{20}|sk-(?:ant|proj)-[\w-]{20,}"
)
REFERENCE = re.compile(
    r"^(?:op|vault|aws|gcp|azure|sm|ssm|arn|secretref|file|https?|env):|^/(?:run|etc|var|mnt)/|\.(?:pem|key|json)$",
    re.IGNORECASE,
)
DEFAULT_PASSWORDS = frozenset(
    {
        "1234", "123456", "12345678", "admin", "administrator", "change_me", "changeme", "changethis", "default", "docker",
        "elastic", "example", "guest", "letmein", "mariadb", "minio", "minioadmin", "mongo", "mysql", "pass", "passwd",
        "password",
        "postgres", "pwd", "qwerty", "rabbitmq", "redis", "root", "sa", "secret", "test", "toor", "user",
    }
)  # fmt: skip
LEAST = 12
BITS = 2.8


def names_secret(name: str) -> bool:
    """Does a variable's name say that it holds a secret?"""
    return SECRET.search(name) is not None and PUBLIC.search(name) is None


def is_known_format(value: str) -> bool:
    """Is this a provider's own format of a key?"""
    return KNOWN.search(value) is not None and "EXAMPLE" not in value.upper()


def is_real_secret(value: str) -> bool:
    """Does a value look like a secret in use: a provider's format, or long, mixed and without the words of placeholders?"""
    if is_known_format(value):
        return True
    if len(value) < LEAST or PLACEHOLDER.search(value) or REFERENCE.search(value) or " " in value:
        return False
    kinds = sum(bool(re.search(pattern, value)) for pattern in ("[a-z]", "[A-Z]", "[0-9]"))
    return kinds >= 2 and _entropy(value) >= BITS


def _entropy(text: str) -> float:
    """Shannon's entropy in bits for each character."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())
