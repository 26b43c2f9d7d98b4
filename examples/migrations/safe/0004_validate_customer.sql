ALTER TABLE orders VALIDATE CONSTRAINT orders_customer;
ALTER TABLE orders VALIDATE CONSTRAINT orders_customer_id_not_null;
