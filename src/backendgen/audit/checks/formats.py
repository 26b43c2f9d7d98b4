"""Secrets that show by their own form whose they are, and how random a text is."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter

LEAST_ENTROPY = 3.0  # bits a letter: what people type to fill a form stays below
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FORMATS = {
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    "a GitHub token of fine grain": re.compile(r"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b"),
    "a GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20}\b"),
    "an npm token": re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),
    "a PyPI token": re.compile(r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}"),
    "a Stripe live key": re.compile(r"\b[sr]k_live_[A-Za-z0-9]{20,}"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}"),
    "a Slack webhook": re.compile(r"hooks\.slack\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{24}"),
    "a Google API key": re.compile(r"\bAIza[A-Za-z0-9_-]{35}"),
    "a Google client secret": re.compile(r"\bGOCSPX-[A-Za-z0-9_-]{28}"),
    "an OpenAI key": re.compile(r"\bsk-(?:proj-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}"),
    "an Anthropic key": re.compile(r"\bsk-ant-api03-[A-Za-z0-9_-]{90,}AA\b"),
    "a SendGrid key": re.compile(r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b"),
    "a DigitalOcean token": re.compile(r"\bdo[opr]_v1_[a-f0-9]{64}\b"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z]{34}\b"),
    "a private key": re.compile(r"-----BEGIN (?:RSA |EC |OPENSSH |DSA )?PRIVATE KEY-----\s+[A-Za-z0-9+/]{20}"),
}
MARKS = (
    "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "npm_", "pypi-AgE", "k_live_", "xox",
    "hooks.slack.com", "AIza", "GOCSPX-", "T3BlbkFJ", "sk-ant-", "SG.", "_v1_", "hf_", "PRIVATE KEY",
)  # fmt: skip
WITH_CHECKSUM = re.compile(r"(?:gh[pousr]|npm)_([A-Za-z0-9]{30})([A-Za-z0-9]{6})")
MADE_UP = re.compile(r"example|your|x{6,}|0{8,}|1234567890|abcdefgh|placeholder|dummy|redacted", re.IGNORECASE)


def kind_of(text: str) -> str:
    """Say whose secret a text holds, by its form; nothing when none, or when it only looks like one."""
    for kind, pattern in FORMATS.items():
        found = pattern.search(text)
        if found and not MADE_UP.search(found[0]) and _fits_its_checksum(found[0]) and is_random(found[0]):
            return kind
    return ""


def may_hold_one(text: str) -> bool:
    """Is there anything of such a form in a file?"""
    return any(mark in text for mark in MARKS)


def is_random(text: str) -> bool:
    """Are the letters of a text as different as those of a secret?"""
    size = len(text)
    entropy = -sum(count / size * math.log2(count / size) for count in Counter(text).values())
    return entropy >= LEAST_ENTROPY


def _fits_its_checksum(token: str) -> bool:
    """GitHub's and npm's tokens end with the CRC-32 of the rest, in base 62: what does not fit was never one."""
    parts = WITH_CHECKSUM.fullmatch(token)
    if not parts:
        return True
    number, written = zlib.crc32(parts[1].encode()), ""
    while number:
        number, digit = divmod(number, 62)
        written = BASE62[digit] + written
    return written.rjust(6, "0") == parts[2]
