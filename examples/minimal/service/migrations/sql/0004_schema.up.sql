CREATE TABLE notes (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  title      text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
  content    text NOT NULL DEFAULT '',
  version    int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now()
);
