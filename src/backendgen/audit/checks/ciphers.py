"""Encryption: old ciphers, modes that show patterns, fixed keys and nonces, short keys."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.walk import hit
from backendgen.audit.registry import Context, check
from backendgen.code.index import Use
from backendgen.code.nodes import unparse
from backendgen.findings.finding import Hit

PYCRYPTO = ("Crypto", "Cryptodome")
CRYPTOGRAPHY = "cryptography.hazmat.primitives.ciphers"
ALGORITHMS = (f"{CRYPTOGRAPHY}.algorithms", "cryptography.hazmat.decrepit.ciphers.algorithms")
OLD = {"DES": "DES", "DES3": "3DES", "ARC2": "RC2", "ARC4": "RC4", "Blowfish": "Blowfish", "CAST": "CAST"}
OLD_ALGORITHMS = {"TripleDES": "3DES", "ARC4": "RC4", "RC2": "RC2"} | {
    name: name for name in ("Blowfish", "CAST5", "IDEA", "SEED")
}
WEAK_CIPHERS = {f"{package}.Cipher.{name}.new": shown for package in PYCRYPTO for name, shown in OLD.items()} | {
    f"{package}.{name}": shown for package in ALGORITHMS for name, shown in OLD_ALGORITHMS.items()
}
MODES = f"{CRYPTOGRAPHY}.modes"
BLOCK_CIPHERS = tuple(
    f"{package}.Cipher.{name}.new" for package in PYCRYPTO for name in ("AES", "DES", "DES3", "Blowfish", "CAST")
)
NONCES = {
    **{f"{MODES}.{mode}": ("initialization_vector", 0) for mode in ("CBC", "CFB", "OFB", "GCM")},
    f"{MODES}.CTR": ("nonce", 0),
    f"{CRYPTOGRAPHY}.algorithms.ChaCha20": ("nonce", 1),
    **{f"{package}.Cipher.ChaCha20{more}.new": ("nonce", None) for package in PYCRYPTO for more in ("", "_Poly1305")},
}
AEADS = tuple(f"{CRYPTOGRAPHY}.aead.{name}" for name in ("AESGCM", "ChaCha20Poly1305", "AESCCM", "AESOCB3"))
KEYED = {
    "cryptography.fernet.Fernet": ("key", 0),
    f"{CRYPTOGRAPHY}.algorithms.AES": ("key", 0),
    f"{CRYPTOGRAPHY}.algorithms.AES256": ("key", 0),
    f"{CRYPTOGRAPHY}.algorithms.ChaCha20": ("key", 0),
    **dict.fromkeys(AEADS, ("key", 0)),
    **dict.fromkeys(BLOCK_CIPHERS, ("key", 0)),
    "hmac.new": ("key", 0),
    "hmac.digest": ("key", 0),
    **{f"itsdangerous.{name}": ("secret_key", 0) for name in ("URLSafeTimedSerializer", "URLSafeSerializer", "Signer",
       "TimestampSigner", "Serializer", "TimedSerializer")},
    "nacl.secret.SecretBox": ("key", 0),
}  # fmt: skip
ASYMMETRIC = "cryptography.hazmat.primitives.asymmetric"
SIZES = {
    f"{ASYMMETRIC}.rsa.generate_private_key": ("key_size", 1),
    f"{ASYMMETRIC}.dsa.generate_private_key": ("key_size", 0),
    **{f"{package}.PublicKey.{name}.generate": ("bits", 0) for package in PYCRYPTO for name in ("RSA", "DSA")},
    "rsa.newkeys": ("nbits", 0),
}
CURVES = ("SECP192R1", "SECT163K1", "SECT163R2")
LEAST_BITS = 2048
MALLEABLE = ("CBC", "CTR", "CFB", "OFB")
AUTHENTICATES = re.compile(r"\b(?:hmac|HMAC|CMAC|Poly1305|poly1305|verify|signature|compare_digest)\b")


@check("BG207")
def weak_cipher(context: Context) -> Iterator[Hit]:
    """Ciphers that are broken, or whose blocks are too small."""
    for use in context.index.calls(*WEAK_CIPHERS):
        yield hit(
            use.module,
            use.call,
            f"{{who}} encrypts with {WEAK_CIPHERS[use.name]}, which is broken or repeats its blocks too soon",
            "encrypt with AES-GCM: `AESGCM(key).encrypt(nonce, data, None)`, or `Fernet(key).encrypt(data)`",
        )


@check("BG208")
def fixed_nonce(context: Context) -> Iterator[Hit]:
    """ECB, and initialisation vectors and nonces that are always the same."""
    fix = "give each message its own, sent along with it: `nonce = os.urandom(12)`; `AESGCM(key).encrypt(nonce, data, None)`"
    for use in context.index.calls(f"{MODES}.ECB"):
        yield _ecb(use)
    for use in context.index.calls(*BLOCK_CIPHERS):
        mode = use.argument("mode", 1)
        if mode is not None and unparse(mode).endswith("MODE_ECB"):
            yield _ecb(use)
    for use in context.index.calls(*NONCES, *BLOCK_CIPHERS):
        if use.name in NONCES:
            given = use.argument(*NONCES[use.name])
        else:
            given = use.argument("iv", 2) or use.argument("nonce")
        if isinstance(context.index.value(given, use.module, use.function), str | bytes):
            message = (
                "{who} encrypts every message with the same initialisation vector or nonce: equal beginnings show, "
            )
            message += "and in CTR and GCM one known message gives the key stream of all"
            yield hit(use.module, use.call, message, fix)
    for use in context.index.methods("encrypt"):
        maker = use.call.func.value  # type: ignore[attr-defined]  # a method's call is an attribute's
        if _is_aead(context, maker, use) and isinstance(
            context.index.value(use.argument("nonce", 0), use.module, use.function), bytes
        ):
            message = "{who} encrypts every message with the same nonce: one known message gives the key stream of all"
            yield hit(use.module, use.call, message, fix)


def _ecb(use: Use) -> Hit:
    return hit(
        use.module,
        use.call,
        "{who} encrypts in ECB mode: equal blocks look equal, so patterns show, and blocks can be put elsewhere",
        "encrypt with AES-GCM: `AESGCM(key).encrypt(nonce, data, None)`, or `Fernet(key).encrypt(data)`",
    )


def _is_aead(context: Context, node: ast.expr, use: Use) -> bool:
    """Is this `AESGCM(key)`, or a name that holds it?"""
    if isinstance(node, ast.Name):
        found = context.symbols.value(node, use.module, use.function)
        node = getattr(found, "value", node)
    return isinstance(node, ast.Call) and context.index.name_of(node.func, use.module, use.function) in AEADS


@check("BG231")
def cipher_without_integrity(context: Context) -> Iterator[Hit]:
    """Messages that are encrypted in a mode that notices no change, in a file that has nothing else that would."""
    uses = [(use, use.name.rpartition(".")[2]) for use in context.index.calls(*(f"{MODES}.{one}" for one in MALLEABLE))]
    for use in context.index.calls(*BLOCK_CIPHERS):
        mode = use.argument("mode", 1)
        name = unparse(mode).rpartition("MODE_")[2] if mode is not None else ""
        uses += [(use, name)] if name in MALLEABLE else []
    for use, mode_name in uses:
        if not _encrypts(use) or use.module.file.mentions(AUTHENTICATES):
            continue
        yield hit(
            use.module,
            use.call,
            f"{{who}} encrypts in {mode_name} mode, and nothing notices when the message is changed: whoever may change it "
            "chooses what is decrypted, and with CBC learns from errors what it says",
            "encrypt with AES-GCM, which refuses what was changed: `AESGCM(key).encrypt(nonce, data, None)`",
        )


def _encrypts(use: Use) -> bool:
    """Does the function that makes a cipher encrypt with it? How others' messages are decrypted is not ours to choose."""
    calls = use.module.calls_in(use.function) if use.function is not None else [one for one, _ in use.module.calls]
    return any(isinstance(one.func, ast.Attribute) and one.func.attr in ("encrypt", "encryptor") for one in calls)


@check("BG209")
def old_rsa_padding(context: Context) -> Iterator[Hit]:
    """RSA encryption with PKCS #1 v1.5 padding."""
    name = f"{ASYMMETRIC}.padding.PKCS1v15"
    fix = "pad with OAEP: `padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)`"
    message = "{who} encrypts with RSA and PKCS #1 v1.5 padding: whoever may ask often enough decrypts without the key"
    for use in context.index.methods("encrypt", "decrypt"):
        for given in (*use.call.args, *(one.value for one in use.call.keywords)):
            if isinstance(given, ast.Call) and context.index.name_of(given.func, use.module, use.function) == name:
                yield hit(use.module, use.call, message, fix)
    for use in context.index.calls(*(f"{package}.Cipher.PKCS1_v1_5.new" for package in PYCRYPTO), "rsa.encrypt"):
        yield hit(use.module, use.call, message, fix)


@check("BG210")
def short_key(context: Context) -> Iterator[Hit]:
    """Asymmetric keys that can be computed."""
    for use in context.index.calls(*SIZES):
        bits = context.index.value(use.argument(*SIZES[use.name]), use.module, use.function)
        if isinstance(bits, int) and bits < LEAST_BITS:
            message = f"{{who}} makes a key of {bits:,} bits, which can be computed from its public half"
            yield hit(use.module, use.call, message, "make it 3072 bits, or an Ed25519 key")
    for use in context.index.calls(f"{ASYMMETRIC}.ec.generate_private_key"):
        curve = use.argument("curve", 0)
        shown = unparse(curve) if curve is not None else ""
        if any(name in shown for name in CURVES):
            message = f"{{who}} makes a key on the curve `{shown}`, which is too small"
            yield hit(use.module, use.call, message, "take ec.SECP256R1(), or Ed25519")


@check("BG215")
def key_in_code(context: Context) -> Iterator[Hit]:
    """Keys that encrypt or sign, written into the code."""
    for use in context.index.calls(*KEYED):
        key = use.argument(*KEYED[use.name])
        given = context.index.value(key, use.module, use.function)
        if key is None or not isinstance(given, str | bytes) or not given:
            continue
        shown = f"`{unparse(key)}`" if isinstance(key, ast.Name | ast.Attribute) else "its key"
        yield hit(
            use.module,
            use.call,
            f"{{who}} calls `{unparse(use.call.func)}` with {shown}, which is written into the code: "
            "whoever reads it "
            "decrypts and signs",
            'read it from the environment, and make a new one: `os.environ["ENCRYPTION_KEY"]`',
        )
