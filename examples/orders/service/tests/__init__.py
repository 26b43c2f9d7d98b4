"""The service's tests: everything runs against a real server and a real PostgreSQL."""
