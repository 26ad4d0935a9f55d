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

-- Only orders that count (paid, packed, shipped, delivered) have rows here.
CREATE TABLE purchases (
    order_id   INTEGER NOT NULL,
    product_id INTEGER NOT NULL,
    PRIMARY KEY (order_id, product_id)
) WITHOUT ROWID;
CREATE INDEX purchases_product ON purchases (product_id, order_id);

CREATE TABLE product_views (
    product_id INTEGER NOT NULL,
    day        TEXT    NOT NULL, -- 2026-01-31
    views      INTEGER NOT NULL, -- the whole count of that day, so that reading it twice is harmless
    PRIMARY KEY (product_id, day)
) WITHOUT ROWID;

-- Written in the transaction of the data that it describes.
CREATE TABLE feed_positions (
    feed          TEXT    PRIMARY KEY, -- changes, products, purchases, views; snapshot (1: complete)
    position      INTEGER NOT NULL,    -- the id read last; for views the time of the change
    after_product INTEGER NOT NULL DEFAULT 0, -- views: the rest of the cursor
    after_day     TEXT    NOT NULL DEFAULT '',
    updated_at    INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE feed_positions;
DROP TABLE product_views;
DROP TABLE purchases;
DROP TABLE products;
