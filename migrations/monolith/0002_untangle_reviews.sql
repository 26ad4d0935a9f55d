-- What ties reviews to the rest of the shop inside of the database moves into code, so
-- that the table can leave: the triggers that rated products, and a join that the view
-- of the order history had and nobody used.
-- +goose Up
DROP TRIGGER reviews_rate_insert;
DROP TRIGGER reviews_rate_update;
DROP TRIGGER reviews_rate_delete;

-- The last change of a review at the service that rating_avg and rating_count count; 0
-- while the reviews are the shop's own.
ALTER TABLE products ADD COLUMN rating_version INTEGER NOT NULL DEFAULT 0;

DROP VIEW v_order_history;
CREATE VIEW v_order_history AS
SELECT o.id AS order_id, o.user_id, o.status, o.total_cents, o.created_at,
       u.name AS customer, l.product_id, l.name AS product, l.qty, l.unit_price_cents,
       p.active AS still_sold, pay.status AS payment_status, s.carrier, s.tracking
FROM orders o
JOIN users u ON u.id = o.user_id
JOIN order_lines l ON l.order_id = o.id
JOIN products p ON p.id = l.product_id
JOIN payments pay ON pay.order_id = o.id
LEFT JOIN shipments s ON s.order_id = o.id;

-- +goose Down
DROP VIEW v_order_history;
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

ALTER TABLE products DROP COLUMN rating_version;

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
