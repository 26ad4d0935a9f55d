-- The catalog service's own database: a copy of what the monolith's catalog shows, fed
-- by its read API, and where the feed stands. Times are milliseconds since 1970 (UTC),
-- money is integer cents. The copy comes piece by piece: no row may refuse another.

-- +goose Up
CREATE TABLE categories (
    id       INTEGER PRIMARY KEY,
    slug     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    position INTEGER NOT NULL
);
CREATE INDEX categories_slug ON categories (slug);

CREATE TABLE products (
    id           INTEGER PRIMARY KEY,
    sku          TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    category_id  INTEGER NOT NULL,
    price_cents  INTEGER NOT NULL,
    active       INTEGER NOT NULL CHECK (active IN (0, 1)),
    stock_qty    INTEGER NOT NULL, -- of the inventory
    rating_avg   REAL    NOT NULL, -- of the reviews
    rating_count INTEGER NOT NULL, -- of the reviews
    version      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
);
CREATE INDEX products_name ON products (active, name COLLATE NOCASE, id);
CREATE INDEX products_price ON products (active, price_cents, id);
CREATE INDEX products_rating ON products (active, rating_avg DESC, rating_count DESC, id);
CREATE INDEX products_newest ON products (active, created_at DESC, id DESC);
CREATE INDEX products_category_name ON products (active, category_id, name COLLATE NOCASE, id);
CREATE INDEX products_category_price ON products (active, category_id, price_cents, id);
CREATE INDEX products_category_rating ON products (active, category_id, rating_avg DESC, rating_count DESC, id);
CREATE INDEX products_category_newest ON products (active, category_id, created_at DESC, id DESC);

CREATE TABLE product_images (
    product_id INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    url        TEXT    NOT NULL,
    alt        TEXT    NOT NULL,
    PRIMARY KEY (product_id, position)
) WITHOUT ROWID;

CREATE TABLE product_tags (
    product_id INTEGER NOT NULL,
    tag        TEXT    NOT NULL,
    PRIMARY KEY (product_id, tag)
) WITHOUT ROWID;

-- Written in the transaction of the data that it describes.
CREATE TABLE feed_positions (
    feed       TEXT    PRIMARY KEY, -- changes, products; snapshot (1: complete)
    position   INTEGER NOT NULL,    -- the id read last
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE feed_positions;
DROP TABLE product_tags;
DROP TABLE product_images;
DROP TABLE products;
DROP TABLE categories;
