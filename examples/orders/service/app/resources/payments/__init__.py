"""/payments: `routes` are the operations, `models` the requests, `statements` the SQL."""
