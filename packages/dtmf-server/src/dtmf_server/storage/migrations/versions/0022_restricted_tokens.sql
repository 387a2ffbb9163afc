-- sqlite
ALTER TABLE tokens ADD COLUMN parent_id INTEGER CONSTRAINT fk_tokens_parent_id REFERENCES tokens (id);

-- postgresql
ALTER TABLE tokens ADD COLUMN parent_id BIGINT CONSTRAINT fk_tokens_parent_id REFERENCES tokens (id);

ALTER TABLE tokens ADD COLUMN scopes TEXT
    CONSTRAINT ck_tokens_scopes CHECK (length(scopes) > 0);

ALTER TABLE tokens ADD COLUMN allowed_groups TEXT;

ALTER TABLE tokens ADD COLUMN expires_wall_us BIGINT
    CONSTRAINT ck_tokens_expires CHECK (expires_wall_us IS NULL OR scopes IS NOT NULL);

ALTER TABLE tokens ADD COLUMN sats_max BIGINT
    CONSTRAINT ck_tokens_sats_max CHECK (sats_max IS NULL OR scopes IS NOT NULL);

ALTER TABLE tokens ADD COLUMN sats_per_day BIGINT
    CONSTRAINT ck_tokens_sats_per_day CHECK (sats_per_day IS NULL OR scopes IS NOT NULL);

ALTER TABLE tokens ADD COLUMN rentals_max BIGINT
    CONSTRAINT ck_tokens_rentals_max CHECK (rentals_max IS NULL OR scopes IS NOT NULL);

ALTER TABLE tokens ADD COLUMN reserved_sats BIGINT DEFAULT '0' NOT NULL
    CONSTRAINT ck_tokens_reserved CHECK (reserved_sats >= 0);

ALTER TABLE tokens ADD COLUMN spent_sats BIGINT DEFAULT '0' NOT NULL
    CONSTRAINT ck_tokens_spent CHECK (spent_sats >= 0 AND reserved_sats + spent_sats <= sats_max);

ALTER TABLE tokens ADD COLUMN adopted_sats BIGINT DEFAULT '0' NOT NULL
    CONSTRAINT ck_tokens_adopted CHECK (adopted_sats >= 0);

ALTER TABLE tokens ADD COLUMN day BIGINT DEFAULT '0' NOT NULL;

ALTER TABLE tokens ADD COLUMN day_sats BIGINT DEFAULT '0' NOT NULL
    CONSTRAINT ck_tokens_day_sats CHECK (day_sats >= reserved_sats AND day_sats <= sats_per_day);

ALTER TABLE tokens ADD COLUMN rentals_started BIGINT DEFAULT '0' NOT NULL
    CONSTRAINT ck_tokens_rentals_started CHECK (rentals_started >= 0 AND rentals_started <= rentals_max);

CREATE INDEX ix_tokens_children ON tokens (parent_id) WHERE parent_id IS NOT NULL;

CREATE INDEX ix_tokens_expires ON tokens (expires_wall_us)
    WHERE expires_wall_us IS NOT NULL AND revoked_at_us IS NULL;

-- sqlite
ALTER TABLE rentals ADD COLUMN token_id INTEGER CONSTRAINT fk_rentals_token_id REFERENCES tokens (id);

-- postgresql
ALTER TABLE rentals ADD COLUMN token_id BIGINT CONSTRAINT fk_rentals_token_id REFERENCES tokens (id);

-- sqlite
ALTER TABLE rentals ADD COLUMN action_token_id INTEGER CONSTRAINT fk_rentals_action_token_id REFERENCES tokens (id);

-- postgresql
ALTER TABLE rentals ADD COLUMN action_token_id BIGINT CONSTRAINT fk_rentals_action_token_id REFERENCES tokens (id);

ALTER TABLE rentals ADD COLUMN reserves TEXT
    CONSTRAINT ck_rentals_reserves CHECK (reserves IN ('max_sats', 'max_minutes', 'rest'));

ALTER TABLE rentals ADD COLUMN reserved_sats BIGINT
    CONSTRAINT ck_rentals_reserved CHECK (reserved_sats > 0 AND reserved_sats = max_sats AND (reserved_sats IS NULL
    OR token_id IS NOT NULL) AND (reserved_sats IS NULL) = (reserves IS NULL));

CREATE INDEX ix_rentals_token ON rentals (token_id, id) WHERE ended_at_us IS NULL AND token_id IS NOT NULL;

CREATE INDEX ix_rentals_action_token ON rentals (action_token_id, id)
    WHERE ended_at_us IS NULL AND action_token_id IS NOT NULL;

-- sqlite
ALTER TABLE accounts ADD COLUMN webhook_token_id INTEGER;

-- postgresql
ALTER TABLE accounts ADD COLUMN webhook_token_id BIGINT;
