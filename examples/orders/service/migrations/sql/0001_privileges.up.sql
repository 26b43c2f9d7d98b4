-- What later migrations create, the serving role may read and write. It owns nothing: it cannot
-- change a table, and what has no grant here (alembic_version) it cannot even read.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO orders_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO orders_app;
