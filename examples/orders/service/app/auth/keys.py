"""The keys that sign access tokens: Ed25519 (RFC 8037, RFC 9864), named by their thumbprint.

`python -m app.auth.new_key` prints a private key for AUTH_SIGNING_KEY. To rotate, put a new key
there, move the old one to AUTH_PREVIOUS_KEYS and drop it after one access token lifetime.
"""

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

if TYPE_CHECKING:  # the settings judge keys with `read` and `read_private`
    from app.auth.settings import AuthSettings

CURVE: Final = "Ed25519"
DEV_KEY_FILE: Final = Path(".dev/auth-signing-key.json")
PEM_BLOCK: Final = re.compile(r"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Keys:
    """The key that signs, and all that verify, by key id."""

    signing_kid: str
    signing: OKPKey
    verifying: Mapping[str, OKPKey]


def load_keys(settings: "AuthSettings") -> Keys:
    """Return the keys of the settings.

    A missing key, which production refuses, is made once and kept in `.dev/`: tokens outlive a
    restart.
    """
    if settings.auth_signing_key is not None:
        text = settings.auth_signing_key.get_secret_value()
    else:
        text = _dev_key(DEV_KEY_FILE)
    signing = read_private(text)
    previous = settings.auth_previous_keys
    older = read(previous.get_secret_value()) if previous else {}
    [(kid, key)] = signing.items()
    return Keys(kid, key, older | signing)


def generate() -> str:
    """Return a new private key as JWK."""
    return json.dumps(OKPKey.generate_key(CURVE).as_dict(private=True))


def read_private(text: str) -> dict[str, OKPKey]:
    """Read the one private key that `text` holds. Raises ValueError."""
    keys = read(text)
    if len(keys) != 1 or not next(iter(keys.values())).is_private:
        raise ValueError("must hold exactly one private key")
    return keys


def read(text: str) -> dict[str, OKPKey]:
    """Read a JWK, a JWK Set or PEM blocks. Raises ValueError, which never repeats the secret."""
    try:
        if text.lstrip().startswith("{"):
            document = json.loads(text)
            keys = [OKPKey.import_key(jwk) for jwk in document.get("keys", [document])]
        else:
            keys = [OKPKey.import_key(block) for block in PEM_BLOCK.findall(text)]
    except (JoseError, ValueError, KeyError, TypeError):
        keys = []
    if not keys or any(key.curve_name != CURVE for key in keys):
        raise ValueError("must hold Ed25519 keys, as JWK, JWK Set or PEM")
    return {key.kid or key.thumbprint(): key for key in keys}


def _dev_key(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(generate())
        try:
            # A link appears whole and never replaces: workers that start together get one key.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="utf-8")
