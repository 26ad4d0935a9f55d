-- +goose Up
-- The table as it was in the monolith, without the foreign keys: what they did is done
-- in code, from the monolith's feed.
CREATE TABLE reviews (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    product_id INTEGER NOT NULL,
    user_id    INTEGER NOT NULL,
    rating     INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 5),
    title      TEXT    NOT NULL,
    body       TEXT    NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (product_id, user_id)
);
CREATE INDEX reviews_newest ON reviews (product_id, id DESC);
CREATE INDEX reviews_user ON reviews (user_id);

-- What the monolith has to be told of, in this order, written with what it is about. A
-- row goes once the monolith has it.
CREATE TABLE review_changes (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    action     TEXT    NOT NULL, -- review.created or review.deleted
    review_id  INTEGER NOT NULL,
    product_id INTEGER NOT NULL,
    user_id    INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);

-- What the monolith said last, for when it does not answer.
CREATE TABLE products (
    id     INTEGER PRIMARY KEY,
    active INTEGER NOT NULL
);
CREATE TABLE authors (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);

-- Users and products that are gone: a review that is just being written must not stay.
CREATE TABLE gone (
    kind TEXT    NOT NULL, -- user or product
    id   INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- How far the monolith's changes have been read.
CREATE TABLE feed_positions (
    feed       TEXT PRIMARY KEY,
    position   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE feed_positions;
DROP TABLE gone;
DROP TABLE authors;
DROP TABLE products;
DROP TABLE review_changes;
DROP TABLE reviews;
