ALTER TABLE groups ADD COLUMN monthly_cap BIGINT
    CONSTRAINT ck_groups_monthly_cap CHECK (monthly_cap >= rental_cost_per_minute);

ALTER TABLE groups ADD COLUMN reclaim_days INTEGER DEFAULT '0' NOT NULL
    CONSTRAINT ck_groups_reclaim_days CHECK (reclaim_days >= 0);

ALTER TABLE groups ADD COLUMN line_type TEXT
    CONSTRAINT ck_groups_line_type CHECK (line_type IN ('mobile', 'landline', 'voip'));

ALTER TABLE rentals ADD COLUMN monthly_cap BIGINT;

CREATE INDEX ix_rentals_capped ON rentals (account_id, id) WHERE ended_at_us IS NULL AND monthly_cap IS NOT NULL;

ALTER TABLE accounts ADD COLUMN capped_rentals BIGINT DEFAULT '0' NOT NULL;

ALTER TABLE service ADD COLUMN outcomes_rental_id BIGINT DEFAULT '0' NOT NULL;

-- sqlite
ALTER TABLE service ADD COLUMN supply_stopped BOOLEAN DEFAULT 0 NOT NULL;

-- postgresql
ALTER TABLE service ADD COLUMN supply_stopped BOOLEAN DEFAULT false NOT NULL;

ALTER TABLE numbers ADD COLUMN reserved_until_us BIGINT;

ALTER TABLE numbers ADD COLUMN retired_at_us BIGINT;

DROP INDEX ix_numbers_free;

CREATE INDEX ix_numbers_free ON numbers (group_id, released_at_us, e164)
    WHERE NOT rented AND retired_at_us IS NULL AND reserved_until_us IS NULL;

CREATE INDEX ix_numbers_reserved ON numbers (group_id, reserved_until_us, e164)
    WHERE NOT rented AND retired_at_us IS NULL AND reserved_until_us IS NOT NULL;

CREATE TABLE rental_outcomes (
    group_id TEXT NOT NULL,
    day INTEGER NOT NULL,
    first_sms_s INTEGER NOT NULL,
    rentals BIGINT NOT NULL,
    CONSTRAINT pk_rental_outcomes PRIMARY KEY (group_id, day, first_sms_s),
    CONSTRAINT fk_rental_outcomes_group_id FOREIGN KEY(group_id) REFERENCES groups (id)
);

CREATE TABLE supplies (
    group_id TEXT NOT NULL,
    carrier TEXT NOT NULL,
    stock_min INTEGER NOT NULL CONSTRAINT ck_supplies_stock_min CHECK (stock_min >= 0),
    stock_max INTEGER NOT NULL CONSTRAINT ck_supplies_stock_max CHECK (stock_max >= 1 AND stock_max >= stock_min),
    setup_price_max BIGINT NOT NULL CONSTRAINT ck_supplies_setup_price CHECK (setup_price_max >= 0),
    month_price_max BIGINT NOT NULL CONSTRAINT ck_supplies_month_price CHECK (month_price_max >= 0),
    currency TEXT NOT NULL,
    trouble TEXT DEFAULT '' NOT NULL,
    retry_at_us BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_supplies PRIMARY KEY (group_id),
    CONSTRAINT fk_supplies_group_id FOREIGN KEY(group_id) REFERENCES groups (id)
);

CREATE TABLE supply_numbers (
    id BIGSERIAL NOT NULL,
    group_id TEXT NOT NULL,
    carrier TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT ck_supply_numbers_state CHECK (state IN ('wanted', 'reserved', 'bought', 'free', 'releasing', 'gone')),
    account_id BIGINT,
    wanted_at_us BIGINT NOT NULL,
    e164 TEXT,
    refused_e164 TEXT,
    setup_price BIGINT CONSTRAINT ck_supply_numbers_setup_price CHECK (setup_price >= 0),
    month_price BIGINT CONSTRAINT ck_supply_numbers_month_price CHECK (month_price >= 0),
    currency TEXT,
    reserved_at_us BIGINT,
    is_trusted BOOLEAN,
    ordered_at_us BIGINT,
    bought_at_us BIGINT,
    renews_at_us BIGINT,
    gone_at_us BIGINT,
    CONSTRAINT pk_supply_numbers PRIMARY KEY (id),
    CONSTRAINT ck_supply_numbers_reserved CHECK (state IN ('wanted', 'gone') OR reserved_at_us IS NOT NULL),
    CONSTRAINT ck_supply_numbers_wanted CHECK (state <> 'wanted' OR reserved_at_us IS NULL),
    CONSTRAINT ck_supply_numbers_e164 CHECK ((e164 IS NULL) = (reserved_at_us IS NULL)),
    CONSTRAINT ck_supply_numbers_renewal CHECK ((bought_at_us IS NULL) = (renews_at_us IS NULL)),
    CONSTRAINT ck_supply_numbers_bought CHECK (state NOT IN ('bought', 'free', 'releasing') OR bought_at_us IS NOT NULL),
    CONSTRAINT ck_supply_numbers_gone CHECK ((state = 'gone') = (gone_at_us IS NOT NULL)),
    CONSTRAINT fk_supply_numbers_group_id FOREIGN KEY(group_id) REFERENCES groups (id),
    CONSTRAINT fk_supply_numbers_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE INDEX ix_supply_numbers_account ON supply_numbers (account_id) WHERE state = 'wanted' AND account_id IS NOT NULL;

CREATE INDEX ix_supply_numbers_live ON supply_numbers (group_id, state) WHERE state <> 'gone';

CREATE INDEX ix_supply_numbers_reserved ON supply_numbers (reserved_at_us) WHERE reserved_at_us IS NOT NULL;

CREATE UNIQUE INDEX uq_supply_numbers_e164 ON supply_numbers (e164) WHERE state <> 'gone' AND e164 IS NOT NULL;

CREATE TABLE supply_costs (
    id BIGSERIAL NOT NULL,
    supply_number_id BIGINT NOT NULL,
    kind TEXT NOT NULL CONSTRAINT ck_supply_costs_kind CHECK (kind IN ('setup', 'month')),
    nth INTEGER NOT NULL,
    at_us BIGINT NOT NULL,
    amount BIGINT NOT NULL CONSTRAINT ck_supply_costs_amount CHECK (amount >= 0),
    currency TEXT NOT NULL,
    sats BIGINT,
    CONSTRAINT pk_supply_costs PRIMARY KEY (id),
    CONSTRAINT uq_supply_costs_supply_number_id_kind_nth UNIQUE (supply_number_id, kind, nth),
    CONSTRAINT fk_supply_costs_supply_number_id FOREIGN KEY(supply_number_id) REFERENCES supply_numbers (id)
);

CREATE INDEX ix_supply_costs_at_us ON supply_costs (at_us);

CREATE TABLE supply_differences (
    carrier TEXT NOT NULL,
    e164 TEXT NOT NULL,
    only_ours BOOLEAN NOT NULL,
    found_at_us BIGINT NOT NULL,
    CONSTRAINT pk_supply_differences PRIMARY KEY (carrier, e164)
);
