ALTER TABLE groups ADD COLUMN currency TEXT;

ALTER TABLE groups ADD COLUMN setup_micros BIGINT
    CONSTRAINT ck_groups_setup_micros CHECK (setup_micros >= 0);

ALTER TABLE groups ADD COLUMN minute_micros BIGINT
    CONSTRAINT ck_groups_minute_micros CHECK (minute_micros > 0);

ALTER TABLE groups ADD COLUMN sms_micros BIGINT
    CONSTRAINT ck_groups_sms_micros CHECK (sms_micros >= 0 AND (sms_micros IS NULL OR currency IS NOT NULL));

ALTER TABLE groups ADD COLUMN cap_micros BIGINT
    CONSTRAINT ck_groups_cap_micros CHECK (cap_micros >= minute_micros AND (cap_micros IS NULL OR currency IS NOT NULL));

ALTER TABLE groups ADD COLUMN rate TEXT;

ALTER TABLE groups ADD COLUMN rate_at_wall_us BIGINT
    CONSTRAINT ck_groups_pegged CHECK ((currency IS NULL) = (setup_micros IS NULL) AND (currency IS NULL) = (minute_micros IS NULL) AND (currency IS NULL) = (rate IS NULL) AND (currency IS NULL) = (rate_at_wall_us IS NULL));

ALTER TABLE rentals ADD COLUMN price_days INTEGER
    CONSTRAINT ck_rentals_price_days CHECK (price_days >= 1);

ALTER TABLE rentals ADD COLUMN price_until_us BIGINT
    CONSTRAINT ck_rentals_price_until CHECK (price_until_us IS NULL OR price_days IS NOT NULL);

ALTER TABLE rentals ADD COLUMN priced_minutes BIGINT DEFAULT '0' NOT NULL
    CONSTRAINT ck_rentals_priced_minutes CHECK (priced_minutes BETWEEN 0 AND booked_minutes);

ALTER TABLE rentals ADD COLUMN priced_sats BIGINT DEFAULT '0' NOT NULL
    CONSTRAINT ck_rentals_priced_sats CHECK (priced_sats >= 0 AND (priced_minutes > 0 OR priced_sats = 0));

ALTER TABLE rentals ADD COLUMN change_at_us BIGINT;

ALTER TABLE rentals ADD COLUMN next_cost_per_inbound_message BIGINT;

ALTER TABLE rentals ADD COLUMN next_monthly_cap BIGINT;

ALTER TABLE rentals ADD COLUMN next_cost_per_minute BIGINT
    CONSTRAINT ck_rentals_next_price CHECK (next_cost_per_minute > 0 AND (next_cost_per_minute IS NULL) = (change_at_us IS NULL) AND (change_at_us IS NULL OR price_days IS NOT NULL));

CREATE INDEX ix_rentals_change ON rentals (account_id, change_at_us, id)
    WHERE ended_at_us IS NULL AND change_at_us IS NOT NULL;

CREATE INDEX ix_rentals_price_until ON rentals (price_until_us)
    WHERE ended_at_us IS NULL AND change_at_us IS NULL AND price_until_us IS NOT NULL;

-- postgresql
ALTER TABLE rentals DROP CONSTRAINT ck_rentals_max_sats;

-- postgresql
ALTER TABLE rentals ADD CONSTRAINT ck_rentals_max_sats CHECK ((max_sats IS NULL) = (message_sats IS NULL) AND max_sats >= setup_cost + message_sats + CASE WHEN monthly_cap IS NULL THEN priced_sats + (booked_minutes - priced_minutes) * cost_per_minute ELSE 0 END);

CREATE TABLE rental_prices (
    rental_id BIGINT NOT NULL,
    from_minute BIGINT NOT NULL CONSTRAINT ck_rental_prices_from_minute CHECK (from_minute >= 0),
    since_us BIGINT NOT NULL,
    cost_per_minute BIGINT NOT NULL CONSTRAINT ck_rental_prices_minute CHECK (cost_per_minute > 0),
    cost_per_inbound_message BIGINT,
    monthly_cap BIGINT,
    from_sats BIGINT NOT NULL CONSTRAINT ck_rental_prices_from_sats CHECK (from_sats >= 0),
    currency TEXT NOT NULL,
    rate TEXT NOT NULL,
    CONSTRAINT pk_rental_prices PRIMARY KEY (rental_id, from_minute),
    CONSTRAINT fk_rental_prices_rental_id FOREIGN KEY(rental_id) REFERENCES rentals (id)
);

-- postgresql
CREATE TRIGGER rental_prices_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rental_prices
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- sqlite
CREATE TRIGGER rental_prices_append_only_update BEFORE UPDATE ON rental_prices BEGIN SELECT RAISE(ABORT, 'rental_prices is append-only'); END;

-- sqlite
CREATE TRIGGER rental_prices_append_only_delete BEFORE DELETE ON rental_prices BEGIN SELECT RAISE(ABORT, 'rental_prices is append-only'); END;
