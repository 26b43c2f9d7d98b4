"""Logs, correlation ids and metrics: what one has to know about a service that runs elsewhere."""
