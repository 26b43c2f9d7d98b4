CREATE UNIQUE INDEX CONCURRENTLY orders_public_id_key ON orders (public_id);
