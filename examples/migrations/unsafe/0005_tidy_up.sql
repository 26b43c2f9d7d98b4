SET lock_timeout = '2s';
DROP INDEX orders_by_age;
ALTER TABLE orders RENAME COLUMN status TO state;
ALTER TABLE customers DROP COLUMN name;
-- backendgen: ignore[BG806] the table has a handful of rows
UPDATE customers SET email = lower(email);
DROP TABLE customers CASCADE;
