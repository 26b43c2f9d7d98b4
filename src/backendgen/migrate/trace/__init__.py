"""`--trace`: pending migrations run on a scratch PostgreSQL, and what they did there beside the static verdict."""
