-- The shop's one database: 28 tables of 11 domains that know too much of each other.
-- Times are milliseconds since 1970 (UTC), money is integer cents.

-- +goose Up

-- identity --------------------------------------------------------------------
CREATE TABLE users (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    email                TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    password_hash        TEXT    NOT NULL,
    name                 TEXT    NOT NULL,
    role                 TEXT    NOT NULL DEFAULT 'customer' CHECK (role IN ('customer', 'admin')),
    lifetime_value_cents INTEGER NOT NULL DEFAULT 0, -- written by orders
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL,
    deleted_at           INTEGER
);

CREATE TABLE sessions (
    token_hash TEXT    PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE addresses (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    street      TEXT    NOT NULL,
    city        TEXT    NOT NULL,
    postal_code TEXT    NOT NULL,
    region      TEXT    NOT NULL DEFAULT '',
    country     TEXT    NOT NULL CHECK (length(country) = 2),
    created_at  INTEGER NOT NULL,
    deleted_at  INTEGER
);
CREATE INDEX addresses_user ON addresses (user_id);

CREATE TABLE password_resets (
    token_hash TEXT    PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
);
CREATE INDEX password_resets_user ON password_resets (user_id);

-- catalog ---------------------------------------------------------------------
CREATE TABLE categories (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    slug     TEXT    NOT NULL UNIQUE,
    name     TEXT    NOT NULL,
    position INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE products (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    sku          TEXT    NOT NULL UNIQUE,
    name         TEXT    NOT NULL,
    description  TEXT    NOT NULL DEFAULT '',
    category_id  INTEGER NOT NULL REFERENCES categories (id) ON DELETE RESTRICT,
    price_cents  INTEGER NOT NULL CHECK (price_cents >= 0),
    active       INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    stock_qty    INTEGER NOT NULL DEFAULT 0 CHECK (stock_qty >= 0), -- what can be sold; written by catalog, checkout, inventory
    rating_avg   REAL    NOT NULL DEFAULT 0,                        -- written by a trigger on reviews
    rating_count INTEGER NOT NULL DEFAULT 0,                        -- written by a trigger on reviews
    version      INTEGER NOT NULL DEFAULT 1,                        -- raised by each change of the catalog's own columns
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
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    product_id INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL DEFAULT 0,
    url        TEXT    NOT NULL,
    alt        TEXT    NOT NULL DEFAULT '',
    UNIQUE (product_id, position)
);

CREATE TABLE product_tags (
    product_id INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    tag        TEXT    NOT NULL,
    PRIMARY KEY (product_id, tag)
) WITHOUT ROWID;
CREATE INDEX product_tags_tag ON product_tags (tag);

-- pricing ---------------------------------------------------------------------
CREATE TABLE coupons (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    code            TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    kind            TEXT    NOT NULL CHECK (kind IN ('percent', 'fixed')),
    value           INTEGER NOT NULL CHECK (value > 0), -- percent, or cents
    min_order_cents INTEGER NOT NULL DEFAULT 0,
    max_redemptions INTEGER,                            -- NULL: no limit
    per_user_limit  INTEGER NOT NULL DEFAULT 1,
    redeemed        INTEGER NOT NULL DEFAULT 0,
    active          INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    starts_at       INTEGER,
    ends_at         INTEGER,
    created_at      INTEGER NOT NULL,
    CHECK (kind <> 'percent' OR value <= 100),
    CHECK (max_redemptions IS NULL OR redeemed <= max_redemptions)
);

CREATE TABLE tax_rates (
    country      TEXT    NOT NULL,
    region       TEXT    NOT NULL DEFAULT '',
    basis_points INTEGER NOT NULL CHECK (basis_points BETWEEN 0 AND 10000),
    PRIMARY KEY (country, region)
) WITHOUT ROWID;

CREATE TABLE shipping_rates (
    method         TEXT    NOT NULL CHECK (method IN ('standard', 'express')),
    country        TEXT    NOT NULL, -- '*' is everywhere else
    base_cents     INTEGER NOT NULL CHECK (base_cents >= 0),
    per_item_cents INTEGER NOT NULL CHECK (per_item_cents >= 0),
    free_from_cents INTEGER,          -- NULL: never free
    PRIMARY KEY (method, country)
) WITHOUT ROWID;

-- cart ------------------------------------------------------------------------
CREATE TABLE carts (
    id         TEXT    PRIMARY KEY,
    user_id    INTEGER REFERENCES users (id) ON DELETE CASCADE, -- NULL: a guest's cart
    coupon_id  INTEGER REFERENCES coupons (id) ON DELETE SET NULL,
    status     TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'ordered', 'merged')),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX carts_one_open_per_user ON carts (user_id) WHERE status = 'open' AND user_id IS NOT NULL;
CREATE INDEX carts_coupon ON carts (coupon_id);

CREATE TABLE cart_items (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    cart_id    TEXT    NOT NULL REFERENCES carts (id) ON DELETE CASCADE,
    product_id INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    qty        INTEGER NOT NULL CHECK (qty BETWEEN 1 AND 99),
    added_at   INTEGER NOT NULL,
    UNIQUE (cart_id, product_id)
);
CREATE INDEX cart_items_product ON cart_items (product_id);

-- orders ----------------------------------------------------------------------
CREATE TABLE orders (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id             INTEGER NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    cart_id             TEXT    NOT NULL UNIQUE REFERENCES carts (id) ON DELETE RESTRICT,
    shipping_address_id INTEGER NOT NULL REFERENCES addresses (id) ON DELETE RESTRICT,
    coupon_id           INTEGER REFERENCES coupons (id) ON DELETE RESTRICT,
    status              TEXT    NOT NULL CHECK (status IN ('pending', 'paid', 'packed', 'shipped', 'delivered', 'cancelled', 'refunded')),
    shipping_method     TEXT    NOT NULL,
    subtotal_cents      INTEGER NOT NULL,
    discount_cents      INTEGER NOT NULL,
    shipping_cents      INTEGER NOT NULL,
    tax_cents           INTEGER NOT NULL,
    total_cents         INTEGER NOT NULL CHECK (total_cents >= 0),
    idempotency_key     TEXT    NOT NULL,
    request_hash        TEXT    NOT NULL,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    UNIQUE (user_id, idempotency_key)
);
CREATE INDEX orders_user ON orders (user_id, id DESC);
CREATE INDEX orders_status ON orders (status, id DESC);
CREATE INDEX orders_address ON orders (shipping_address_id);
CREATE INDEX orders_coupon ON orders (coupon_id);

CREATE TABLE order_lines (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id         INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    product_id       INTEGER NOT NULL REFERENCES products (id) ON DELETE RESTRICT,
    name             TEXT    NOT NULL, -- as sold
    unit_price_cents INTEGER NOT NULL, -- as sold
    qty              INTEGER NOT NULL CHECK (qty > 0),
    UNIQUE (order_id, product_id)
);
CREATE INDEX order_lines_product ON order_lines (product_id, order_id);

CREATE TABLE order_events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id   INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    kind       TEXT    NOT NULL,
    detail     TEXT    NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL
);
CREATE INDEX order_events_order ON order_events (order_id, id);

CREATE TABLE shipments (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id     INTEGER NOT NULL UNIQUE REFERENCES orders (id) ON DELETE CASCADE,
    carrier      TEXT    NOT NULL,
    tracking     TEXT    NOT NULL,
    shipped_at   INTEGER NOT NULL,
    delivered_at INTEGER
);

CREATE TABLE coupon_redemptions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    coupon_id  INTEGER NOT NULL REFERENCES coupons (id) ON DELETE RESTRICT,
    order_id   INTEGER NOT NULL UNIQUE REFERENCES orders (id) ON DELETE CASCADE,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL
);
CREATE INDEX coupon_redemptions_user ON coupon_redemptions (coupon_id, user_id);

-- inventory -------------------------------------------------------------------
-- on_hand is on the shelf, reserved is promised to pending orders;
-- products.stock_qty = on_hand - reserved, kept equal by everyone who writes either.
CREATE TABLE stock_items (
    product_id    INTEGER PRIMARY KEY REFERENCES products (id) ON DELETE CASCADE,
    warehouse     TEXT    NOT NULL DEFAULT 'main',
    on_hand       INTEGER NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
    reserved      INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    reorder_level INTEGER NOT NULL DEFAULT 5,
    updated_at    INTEGER NOT NULL,
    CHECK (reserved <= on_hand)
);

CREATE TABLE stock_reservations (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id   INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    product_id INTEGER NOT NULL REFERENCES stock_items (product_id) ON DELETE RESTRICT,
    qty        INTEGER NOT NULL CHECK (qty > 0),
    status     TEXT    NOT NULL CHECK (status IN ('held', 'committed', 'released')),
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (order_id, product_id)
);
CREATE INDEX stock_reservations_expiry ON stock_reservations (status, expires_at);
CREATE INDEX stock_reservations_product ON stock_reservations (product_id);

CREATE TABLE stock_movements (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    product_id INTEGER NOT NULL REFERENCES stock_items (product_id) ON DELETE CASCADE,
    order_id   INTEGER REFERENCES orders (id) ON DELETE SET NULL,
    delta      INTEGER NOT NULL, -- change of on_hand
    reason     TEXT    NOT NULL CHECK (reason IN ('initial', 'sale', 'return', 'correction')),
    note       TEXT    NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL
);
CREATE INDEX stock_movements_product ON stock_movements (product_id, id);
CREATE INDEX stock_movements_order ON stock_movements (order_id);

-- payments --------------------------------------------------------------------
CREATE TABLE payments (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id       INTEGER NOT NULL UNIQUE REFERENCES orders (id) ON DELETE CASCADE,
    amount_cents   INTEGER NOT NULL,
    refunded_cents INTEGER NOT NULL DEFAULT 0 CHECK (refunded_cents BETWEEN 0 AND amount_cents),
    returned_cents INTEGER NOT NULL DEFAULT 0 CHECK (returned_cents <= refunded_cents), -- of these, what the provider has confirmed
    status         TEXT    NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'cancelled', 'refunded')),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
);
CREATE INDEX payments_owed ON payments (id) WHERE returned_cents < refunded_cents;

CREATE TABLE payment_attempts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    payment_id   INTEGER NOT NULL REFERENCES payments (id) ON DELETE CASCADE,
    provider_ref TEXT    NOT NULL UNIQUE, -- our name for the attempt at the provider: sent twice, charged once
    card_last4   TEXT    NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('started', 'accepted', 'declined', 'timeout', 'reversed')),
    reason       TEXT    NOT NULL DEFAULT '',
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
);
CREATE INDEX payment_attempts_payment ON payment_attempts (payment_id, id);
CREATE INDEX payment_attempts_open ON payment_attempts (status, updated_at);

CREATE TABLE refunds (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    payment_id      INTEGER NOT NULL REFERENCES payments (id) ON DELETE CASCADE,
    amount_cents    INTEGER NOT NULL CHECK (amount_cents > 0),
    reason          TEXT    NOT NULL DEFAULT '',
    idempotency_key TEXT    NOT NULL,
    request_hash    TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    UNIQUE (payment_id, idempotency_key)
);

-- reviews ---------------------------------------------------------------------
CREATE TABLE reviews (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    product_id INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    rating     INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 5),
    title      TEXT    NOT NULL,
    body       TEXT    NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (product_id, user_id)
);
CREATE INDEX reviews_newest ON reviews (product_id, id DESC);
CREATE INDEX reviews_user ON reviews (user_id);

-- +goose StatementBegin
CREATE TRIGGER reviews_rate_insert AFTER INSERT ON reviews BEGIN
    UPDATE products SET
        rating_count = (SELECT count(*) FROM reviews WHERE product_id = NEW.product_id),
        rating_avg   = (SELECT coalesce(round(avg(rating), 2), 0) FROM reviews WHERE product_id = NEW.product_id)
    WHERE id = NEW.product_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER reviews_rate_update AFTER UPDATE OF rating, product_id ON reviews BEGIN
    UPDATE products SET
        rating_count = (SELECT count(*) FROM reviews WHERE product_id = products.id),
        rating_avg   = (SELECT coalesce(round(avg(rating), 2), 0) FROM reviews WHERE product_id = products.id)
    WHERE id IN (OLD.product_id, NEW.product_id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER reviews_rate_delete AFTER DELETE ON reviews BEGIN
    UPDATE products SET
        rating_count = (SELECT count(*) FROM reviews WHERE product_id = OLD.product_id),
        rating_avg   = (SELECT coalesce(round(avg(rating), 2), 0) FROM reviews WHERE product_id = OLD.product_id)
    WHERE id = OLD.product_id;
END;
-- +goose StatementEnd

-- recommendations -------------------------------------------------------------
CREATE TABLE product_views (
    product_id INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    day        TEXT    NOT NULL, -- 2026-01-31
    views      INTEGER NOT NULL CHECK (views >= 0),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (product_id, day)
) WITHOUT ROWID;
CREATE INDEX product_views_updated ON product_views (updated_at);

-- notifications ---------------------------------------------------------------
CREATE TABLE notifications (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind       TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    sent_at    INTEGER -- NULL: waits in the outbox
);
CREATE INDEX notifications_user ON notifications (user_id, id DESC);
CREATE INDEX notifications_outbox ON notifications (id) WHERE sent_at IS NULL;

-- shared ----------------------------------------------------------------------
-- Every change of an aggregate adds a row here in its own transaction. With one
-- writer, id order is commit order: the log doubles as a feed of changes.
CREATE TABLE audit_log (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    actor_id   INTEGER, -- a user's id, kept after the user is gone; NULL: the shop itself
    action     TEXT    NOT NULL,
    entity     TEXT    NOT NULL,
    entity_id  TEXT    NOT NULL,
    detail     TEXT    NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL
);
CREATE INDEX audit_log_entity ON audit_log (entity, entity_id, id);

-- One row per order line with everything the history page shows: five domains in one view.
CREATE VIEW v_order_history AS
SELECT o.id AS order_id, o.user_id, o.status, o.total_cents, o.created_at,
       u.name AS customer, l.product_id, l.name AS product, l.qty, l.unit_price_cents,
       p.active AS still_sold, pay.status AS payment_status, s.carrier, s.tracking,
       r.rating AS own_rating
FROM orders o
JOIN users u ON u.id = o.user_id
JOIN order_lines l ON l.order_id = o.id
JOIN products p ON p.id = l.product_id
JOIN payments pay ON pay.order_id = o.id
LEFT JOIN shipments s ON s.order_id = o.id
LEFT JOIN reviews r ON r.product_id = l.product_id AND r.user_id = o.user_id;

-- +goose Down
DROP VIEW v_order_history;
DROP TABLE audit_log;
DROP TABLE notifications;
DROP TABLE product_views;
DROP TABLE reviews;
DROP TABLE refunds;
DROP TABLE payment_attempts;
DROP TABLE payments;
DROP TABLE stock_movements;
DROP TABLE stock_reservations;
DROP TABLE stock_items;
DROP TABLE coupon_redemptions;
DROP TABLE shipments;
DROP TABLE order_events;
DROP TABLE order_lines;
DROP TABLE orders;
DROP TABLE cart_items;
DROP TABLE carts;
DROP TABLE shipping_rates;
DROP TABLE tax_rates;
DROP TABLE coupons;
DROP TABLE product_tags;
DROP TABLE product_images;
DROP TABLE products;
DROP TABLE categories;
DROP TABLE password_resets;
DROP TABLE addresses;
DROP TABLE sessions;
DROP TABLE users;
