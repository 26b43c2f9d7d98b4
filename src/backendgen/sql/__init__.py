"""SQL text to Operations, and Operations to a replayed Schema: one model for a spec's DDL and for a migration history."""
