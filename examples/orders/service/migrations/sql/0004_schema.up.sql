CREATE TYPE order_status AS ENUM ('draft', 'placed', 'paid', 'shipped', 'cancelled');

CREATE TABLE customers (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id    uuid NOT NULL REFERENCES users (id),  -- users belongs to the generated auth tables
  email      text NOT NULL UNIQUE CHECK (length(email) BETWEEN 3 AND 254),
  tax_id     text CHECK (length(tax_id) <= 32),
  version    int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX customers_by_user ON customers (user_id);
CREATE INDEX customers_by_age ON customers (created_at DESC, id DESC);

CREATE TABLE products (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  sku         text NOT NULL UNIQUE CHECK (length(sku) BETWEEN 1 AND 64),
  name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  price_cents bigint NOT NULL CHECK (price_cents >= 0),
  active      boolean NOT NULL DEFAULT true,
  version     int NOT NULL DEFAULT 1,
  updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX products_by_name ON products (name, id);
CREATE INDEX products_by_update ON products (updated_at DESC, id DESC);

CREATE TABLE orders (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  customer_id uuid NOT NULL REFERENCES customers (id),
  status      order_status NOT NULL DEFAULT 'draft',
  total_cents bigint NOT NULL DEFAULT 0 CHECK (total_cents >= 0),
  version     int NOT NULL DEFAULT 1,
  placed_at   timestamptz,
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_by_customer ON orders (customer_id, created_at DESC, id DESC);
CREATE INDEX orders_by_age ON orders (created_at DESC, id DESC);

CREATE TABLE order_items (
  order_id    uuid NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
  line        int NOT NULL,
  product_id  uuid NOT NULL REFERENCES products (id),
  quantity    int NOT NULL CHECK (quantity > 0),
  unit_cents  bigint NOT NULL CHECK (unit_cents >= 0),
  PRIMARY KEY (order_id, line)
);
CREATE INDEX order_items_by_product ON order_items (product_id);

CREATE TABLE payments (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  order_id     uuid NOT NULL REFERENCES orders (id),
  amount_cents bigint NOT NULL CHECK (amount_cents >= 0),
  provider_ref text UNIQUE,
  state        text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'captured', 'failed', 'refunded')),
  created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX payments_by_order ON payments (order_id);
CREATE INDEX payments_by_age ON payments (created_at DESC, id DESC);
