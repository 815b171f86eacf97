-- How many seats an account may own of an event: the organiser's setting.

ALTER TABLE catalog.events ADD COLUMN seats_per_buyer smallint CHECK (seats_per_buyer >= 1);
COMMENT ON COLUMN catalog.events.seats_per_buyer IS 'live tickets and what is being bought, over all orders of an account; null: no limit';
