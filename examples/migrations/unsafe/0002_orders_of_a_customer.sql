CREATE INDEX orders_by_customer ON orders (customer_id);
ALTER TABLE orders
  ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE;
ALTER TABLE orders ALTER COLUMN customer_id SET NOT NULL;
