"""backendgen: generate production-grade backend services, audit existing ones, check migrations before a deploy."""

__version__ = "0.1.0"
