ALTER TABLE groups ADD COLUMN refund_within_minutes INTEGER
    CONSTRAINT ck_groups_refund_within CHECK (refund_within_minutes BETWEEN 1 AND 1440);

ALTER TABLE groups ADD COLUMN refund_percent INTEGER
    CONSTRAINT ck_groups_refund CHECK (refund_percent BETWEEN 1 AND 90 AND (refund_percent IS NULL) = (refund_within_minutes IS NULL));

ALTER TABLE rentals ADD COLUMN max_minutes BIGINT
    CONSTRAINT ck_rentals_max_minutes CHECK (max_minutes >= booked_minutes);

ALTER TABLE rentals ADD COLUMN message_sats BIGINT
    CONSTRAINT ck_rentals_message_sats CHECK (message_sats >= 0);

ALTER TABLE rentals ADD COLUMN max_sats BIGINT
    CONSTRAINT ck_rentals_max_sats CHECK ((max_sats IS NULL) = (message_sats IS NULL) AND max_sats >= setup_cost + message_sats + CASE WHEN monthly_cap IS NULL THEN booked_minutes * cost_per_minute ELSE 0 END);

ALTER TABLE rentals ADD COLUMN limit_at_us BIGINT
    CONSTRAINT ck_rentals_limit_at CHECK (limit_at_us > started_at_us AND ended_at_us <= limit_at_us AND (limit_at_us IS NULL OR max_minutes IS NOT NULL OR max_sats IS NOT NULL));

ALTER TABLE rentals ADD COLUMN label TEXT
    CONSTRAINT ck_rentals_label CHECK (length(label) BETWEEN 1 AND 100);

ALTER TABLE rentals ADD COLUMN refund_within_minutes INTEGER;

ALTER TABLE rentals ADD COLUMN refund_percent INTEGER
    CONSTRAINT ck_rentals_refund CHECK (refund_percent BETWEEN 1 AND 90 AND (refund_percent IS NULL) = (refund_within_minutes IS NULL));

-- sqlite
ALTER TABLE rentals ADD COLUMN refunds_setup BOOLEAN DEFAULT 0 NOT NULL;

-- postgresql
ALTER TABLE rentals ADD COLUMN refunds_setup BOOLEAN DEFAULT false NOT NULL;

ALTER TABLE rentals ADD COLUMN network BYTEA
    CONSTRAINT ck_rentals_network CHECK (network IS NULL OR refund_percent IS NOT NULL);

CREATE INDEX ix_rentals_undecided ON rentals (ended_at_us) WHERE network IS NOT NULL AND ended_at_us IS NOT NULL;

CREATE INDEX ix_rentals_limit ON rentals (account_id, limit_at_us, id)
    WHERE ended_at_us IS NULL AND limit_at_us IS NOT NULL;

ALTER TABLE accounts ADD COLUMN limit_at_us BIGINT;

CREATE INDEX ix_accounts_limit ON accounts (limit_at_us) WHERE limit_at_us IS NOT NULL;

CREATE TABLE rental_refunds (
    rental_id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    group_id TEXT NOT NULL,
    day INTEGER NOT NULL,
    paid_sats BIGINT NOT NULL,
    minutes_sats BIGINT NOT NULL CONSTRAINT ck_rental_refunds_minutes CHECK (minutes_sats >= 0 AND minutes_sats * 10 <= paid_sats * 9),
    setup_sats BIGINT NOT NULL CONSTRAINT ck_rental_refunds_setup CHECK (setup_sats >= 0),
    after_message_id BIGINT NOT NULL,
    CONSTRAINT pk_rental_refunds PRIMARY KEY (rental_id),
    CONSTRAINT ck_rental_refunds_amount CHECK (minutes_sats + setup_sats > 0),
    CONSTRAINT fk_rental_refunds_rental_id FOREIGN KEY(rental_id) REFERENCES rentals (id),
    CONSTRAINT fk_rental_refunds_account_id FOREIGN KEY(account_id) REFERENCES accounts (id),
    CONSTRAINT fk_rental_refunds_group_id FOREIGN KEY(group_id) REFERENCES groups (id)
);

CREATE INDEX ix_rental_refunds_account_id_group_id_rental_id ON rental_refunds (account_id, group_id, rental_id);

CREATE TABLE refund_totals (
    scope TEXT NOT NULL CONSTRAINT ck_refund_totals_scope CHECK (scope IN ('group', 'network')),
    key TEXT NOT NULL,
    day INTEGER NOT NULL,
    sats BIGINT NOT NULL CONSTRAINT ck_refund_totals_sats CHECK (sats >= 0),
    CONSTRAINT pk_refund_totals PRIMARY KEY (scope, key, day)
);
