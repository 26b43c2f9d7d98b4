"""What names say: whether something is a secret, seen in the parts of its name."""

from __future__ import annotations

import ast
import re

CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
SECRET = re.compile(
    r"(?:^|_)(?:token|password|passwd|passphrase|passcode|secret|otp|otp_code|pin|pin_code|nonce|salt|csrf|api_?key|secret_?key"
    r"|private_?key|signing_?key|session_?id|session_?key|auth_?key|access_?key|(?:verification|reset|confirmation|confirm|auth"
    r"|authorization|access|invite|invitation|activation|recovery|login|security|sms|mfa|2fa|sudo|step_up|backup|one_time)_?code"
    r"|cvv2?|cvc2?|card_number|captcha|voucher_?code|coupon_?code|gift_?code|remember_?me(?:_?key|_?token)?)$"
)
NO_SECRET = re.compile(
    r"(?:^|_)(?:max|min|num|n|count|total|next|prev|previous|last|first|page|stop|pad|eos|bos|sep|unk|mask|special|input|output"
    r"|prompt|completion|word|sub|continuation|cursor|dedup\w*|idempotency|cache|lock|design|test|fake|dummy|mock)_"
)
MAKES = re.compile(r"^_*(?:generate|gen|make|create|new|get|random|build|issue|mint|rand)_")


def snake(name: str) -> str:
    """Return `resetToken` as `reset_token`."""
    return CAMEL.sub("_", name).lower().strip("_")


def is_secret(name: str) -> bool:
    """Does a name say that its value must not be guessed?"""
    plain = snake(name)
    return SECRET.search(plain) is not None and NO_SECRET.search(plain) is None


def makes_secret(function: str) -> bool:
    """Does a function's name say that it makes such a value: `generate_token`, `random_password`, `get_otp`?"""
    plain = snake(function.rpartition(".")[2])
    return (is_secret(plain.removesuffix("_hash")) or plain.endswith("code_hash")) and MAKES.match(plain) is not None


def named(node: ast.AST) -> str:
    """Return the name that something is kept under: a variable, an attribute, a key, a parameter; nothing for others."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ""
