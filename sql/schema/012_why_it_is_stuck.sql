-- What an order's last try failed of: `bank` or `tickets`; operators read it in a dead letter.
ALTER TABLE orders.orders ADD COLUMN dead_reason text CHECK (dead_reason IN ('bank', 'tickets'));
