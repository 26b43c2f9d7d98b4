"""The `detect: python` rules, by topic. Importing this package registers them all."""

from backendgen.audit.checks import access, availability, contract, drift, secrets
from backendgen.audit.registry import check

__all__ = ["access", "availability", "check", "contract", "drift", "secrets"]
