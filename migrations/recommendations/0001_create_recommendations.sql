-- The recommendations service's own database: copies of what it needs, fed by the
-- monolith's read API, and where the feed stands. Times are milliseconds since 1970 (UTC).

-- +goose Up
CREATE TABLE products (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL,
    category_id INTEGER NOT NULL,
    price_cents INTEGER NOT NULL,
    image_url   TEXT    NOT NULL DEFAULT '',
    active      INTEGER NOT NULL CHECK (active IN (0, 1))
);
CREATE INDEX products_category ON products (category_id, active, id);

CREATE TABLE purchases (
    order_id   INTEGER NOT NULL,
    product_id INTEGER NOT NULL,
    PRIMARY KEY (order_id, product_id)
) WITHOUT ROWID;
CREATE INDEX purchases_product ON purchases (product_id, order_id);

CREATE TABLE product_views (
    product_id INTEGER NOT NULL,
    day        TEXT    NOT NULL,
    views      INTEGER NOT NULL,
    PRIMARY KEY (product_id, day)
) WITHOUT ROWID;

CREATE TABLE feed_positions (
    feed       TEXT    PRIMARY KEY, -- changes, views
    position   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE feed_positions;
DROP TABLE product_views;
DROP TABLE purchases;
DROP TABLE products;
