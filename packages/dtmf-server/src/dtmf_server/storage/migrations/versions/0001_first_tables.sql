CREATE TABLE accounts (
    id BIGSERIAL NOT NULL,
    kind TEXT NOT NULL CONSTRAINT ck_accounts_kind CHECK (kind IN ('customer', 'system')),
    created_at_us BIGINT NOT NULL,
    settled_at_us BIGINT NOT NULL,
    balance BIGINT NOT NULL CONSTRAINT ck_accounts_balance CHECK (balance >= 0),
    debt BIGINT NOT NULL CONSTRAINT ck_accounts_debt CHECK (debt >= 0),
    depletes_at_us BIGINT,
    low_balance_warnings SMALLINT DEFAULT '0' NOT NULL,
    webhook_version INTEGER DEFAULT '1' NOT NULL,
    webhook_rotated_wall_us BIGINT,
    CONSTRAINT pk_accounts PRIMARY KEY (id),
    CONSTRAINT ck_accounts_system_balance CHECK (kind = 'customer' OR balance = 0)
);

CREATE INDEX ix_accounts_depletes ON accounts (depletes_at_us) WHERE depletes_at_us IS NOT NULL;

CREATE INDEX ix_accounts_settled ON accounts (settled_at_us) WHERE depletes_at_us IS NOT NULL;

CREATE TABLE chain_blocks (
    height BIGINT NOT NULL,
    hash TEXT NOT NULL,
    CONSTRAINT pk_chain_blocks PRIMARY KEY (height)
);

CREATE TABLE destinations (
    prefix TEXT NOT NULL,
    cost_per_segment BIGINT NOT NULL CONSTRAINT ck_destinations_cost CHECK (cost_per_segment >= 0),
    CONSTRAINT pk_destinations PRIMARY KEY (prefix)
);

CREATE TABLE groups (
    id TEXT NOT NULL,
    position INTEGER NOT NULL,
    type TEXT NOT NULL CONSTRAINT ck_groups_type CHECK (type IN ('mobile', 'local')),
    name TEXT NOT NULL,
    country_code TEXT NOT NULL,
    sms_support BOOLEAN NOT NULL,
    voice_support BOOLEAN NOT NULL,
    setup_cost BIGINT NOT NULL CONSTRAINT ck_groups_setup_cost CHECK (setup_cost >= 0),
    rental_cost_per_minute BIGINT NOT NULL CONSTRAINT ck_groups_rental_cost CHECK (rental_cost_per_minute >= 0),
    cost_per_inbound_message BIGINT,
    cost_per_inbound_call_minute BIGINT,
    CONSTRAINT pk_groups PRIMARY KEY (id),
    CONSTRAINT ck_groups_sms_price CHECK (sms_support = (cost_per_inbound_message IS NOT NULL)),
    CONSTRAINT ck_groups_call_price CHECK (voice_support = (cost_per_inbound_call_minute IS NOT NULL)),
    CONSTRAINT ck_groups_sms_cost CHECK (cost_per_inbound_message >= 0),
    CONSTRAINT ck_groups_call_cost CHECK (cost_per_inbound_call_minute >= 0)
);

CREATE TABLE service (
    id SMALLSERIAL NOT NULL CONSTRAINT ck_service_single CHECK (id = 1),
    mode TEXT NOT NULL CONSTRAINT ck_service_mode CHECK (mode IN ('sandbox', 'production')),
    clock_offset_us BIGINT DEFAULT '0' NOT NULL,
    created_at_us BIGINT NOT NULL,
    stray_messages BIGINT DEFAULT '0' NOT NULL,
    webhook_key BYTEA NOT NULL,
    CONSTRAINT pk_service PRIMARY KEY (id)
);

CREATE TABLE simulated_blocks (
    height BIGINT NOT NULL,
    hash TEXT NOT NULL,
    CONSTRAINT pk_simulated_blocks PRIMARY KEY (height)
);

CREATE TABLE simulated_outputs (
    txid TEXT NOT NULL,
    script_pubkey BYTEA NOT NULL,
    amount BIGINT NOT NULL,
    height BIGINT,
    CONSTRAINT pk_simulated_outputs PRIMARY KEY (txid)
);

CREATE INDEX ix_simulated_outputs_height ON simulated_outputs (height);

CREATE TABLE addresses (
    id BIGSERIAL NOT NULL,
    account_id BIGINT NOT NULL,
    descriptor_index BIGINT NOT NULL,
    address TEXT NOT NULL,
    script_pubkey BYTEA NOT NULL,
    created_at_us BIGINT NOT NULL,
    used BOOLEAN NOT NULL,
    CONSTRAINT pk_addresses PRIMARY KEY (id),
    CONSTRAINT uq_addresses_descriptor_index UNIQUE (descriptor_index),
    CONSTRAINT uq_addresses_address UNIQUE (address),
    CONSTRAINT uq_addresses_script_pubkey UNIQUE (script_pubkey),
    CONSTRAINT fk_addresses_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE INDEX ix_addresses_account_id_id ON addresses (account_id, id);

CREATE TABLE idempotency (
    account_id BIGINT NOT NULL,
    "key" TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    created_wall_us BIGINT NOT NULL,
    status INTEGER,
    body BYTEA,
    secret BOOLEAN NOT NULL,
    CONSTRAINT pk_idempotency PRIMARY KEY (account_id, "key"),
    CONSTRAINT fk_idempotency_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE INDEX ix_idempotency_created_wall_us ON idempotency (created_wall_us);

CREATE TABLE numbers (
    e164 TEXT NOT NULL,
    group_id TEXT NOT NULL,
    rented BOOLEAN NOT NULL,
    rests_until_us BIGINT NOT NULL,
    last_account_id BIGINT,
    CONSTRAINT pk_numbers PRIMARY KEY (e164),
    CONSTRAINT fk_numbers_group_id FOREIGN KEY(group_id) REFERENCES groups (id),
    CONSTRAINT fk_numbers_last_account_id FOREIGN KEY(last_account_id) REFERENCES accounts (id)
);

CREATE INDEX ix_numbers_free ON numbers (group_id, rests_until_us, e164) WHERE NOT rented;

CREATE INDEX ix_numbers_returning ON numbers (last_account_id, group_id) WHERE NOT rented;

CREATE TABLE tokens (
    id BIGSERIAL NOT NULL,
    account_id BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    label TEXT NOT NULL,
    created_at_us BIGINT NOT NULL,
    revoked_at_us BIGINT,
    CONSTRAINT pk_tokens PRIMARY KEY (id),
    CONSTRAINT uq_tokens_sha256 UNIQUE (sha256),
    CONSTRAINT fk_tokens_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE INDEX ix_tokens_account_id ON tokens (account_id);

CREATE TABLE transfers (
    id BIGSERIAL NOT NULL,
    at_us BIGINT NOT NULL,
    kind TEXT NOT NULL,
    ref TEXT NOT NULL,
    debit BIGINT NOT NULL,
    credit BIGINT NOT NULL,
    amount BIGINT NOT NULL CONSTRAINT ck_transfers_amount CHECK (amount > 0),
    account_id BIGINT NOT NULL,
    balance BIGINT NOT NULL CONSTRAINT ck_transfers_balance CHECK (balance >= 0),
    reference TEXT NOT NULL,
    CONSTRAINT pk_transfers PRIMARY KEY (id),
    CONSTRAINT ck_transfers_two_accounts CHECK (debit <> credit),
    CONSTRAINT uq_transfers_kind_ref UNIQUE (kind, ref),
    CONSTRAINT fk_transfers_debit FOREIGN KEY(debit) REFERENCES accounts (id),
    CONSTRAINT fk_transfers_credit FOREIGN KEY(credit) REFERENCES accounts (id),
    CONSTRAINT fk_transfers_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE INDEX ix_transfers_account_id_id ON transfers (account_id, id);

CREATE TABLE deposits (
    id BIGSERIAL NOT NULL,
    txid TEXT NOT NULL,
    vout INTEGER NOT NULL,
    account_id BIGINT NOT NULL,
    address_id BIGINT NOT NULL,
    amount BIGINT NOT NULL CONSTRAINT ck_deposits_amount CHECK (amount > 0),
    seen_at_us BIGINT NOT NULL,
    height BIGINT,
    status TEXT NOT NULL CONSTRAINT ck_deposits_status CHECK (status IN ('pending', 'credited', 'reversed', 'gone')),
    alternations INTEGER NOT NULL,
    CONSTRAINT pk_deposits PRIMARY KEY (id),
    CONSTRAINT ck_deposits_alternate CHECK ((status = 'credited') = ((alternations & 1) = 1)),
    CONSTRAINT uq_deposits_txid_vout UNIQUE (txid, vout),
    CONSTRAINT fk_deposits_account_id FOREIGN KEY(account_id) REFERENCES accounts (id),
    CONSTRAINT fk_deposits_address_id FOREIGN KEY(address_id) REFERENCES addresses (id)
);

CREATE INDEX ix_deposits_account_id_id ON deposits (account_id, id);

CREATE INDEX ix_deposits_height ON deposits (height);

CREATE INDEX ix_deposits_open ON deposits (status) WHERE status <> 'credited';

CREATE TABLE rentals (
    id BIGSERIAL NOT NULL,
    account_id BIGINT NOT NULL,
    e164 TEXT NOT NULL,
    group_id TEXT NOT NULL,
    sms BOOLEAN NOT NULL,
    setup_cost BIGINT NOT NULL,
    cost_per_minute BIGINT NOT NULL,
    cost_per_inbound_message BIGINT,
    started_at_us BIGINT NOT NULL,
    booked_minutes BIGINT NOT NULL,
    ended_at_us BIGINT,
    end_reason TEXT,
    erased_at_us BIGINT,
    action TEXT CONSTRAINT ck_rentals_action CHECK (action IN ('forward', 'webhook')),
    destination TEXT,
    CONSTRAINT pk_rentals PRIMARY KEY (id),
    CONSTRAINT ck_rentals_destination CHECK ((action IS NULL) = (destination IS NULL)),
    CONSTRAINT ck_rentals_end CHECK ((ended_at_us IS NULL) = (end_reason IS NULL)),
    CONSTRAINT ck_rentals_order CHECK (ended_at_us >= started_at_us),
    CONSTRAINT ck_rentals_erased CHECK (erased_at_us IS NULL OR ended_at_us IS NOT NULL),
    CONSTRAINT ck_rentals_first_minute CHECK (booked_minutes >= 1),
    CONSTRAINT fk_rentals_account_id FOREIGN KEY(account_id) REFERENCES accounts (id),
    CONSTRAINT fk_rentals_e164 FOREIGN KEY(e164) REFERENCES numbers (e164),
    CONSTRAINT fk_rentals_group_id FOREIGN KEY(group_id) REFERENCES groups (id)
);

CREATE INDEX ix_rentals_account_id_e164 ON rentals (account_id, e164);

CREATE INDEX ix_rentals_live_account ON rentals (account_id) WHERE ended_at_us IS NULL;

CREATE INDEX ix_rentals_unerased ON rentals (ended_at_us) WHERE ended_at_us IS NOT NULL AND erased_at_us IS NULL;

CREATE UNIQUE INDEX uq_rentals_live_e164 ON rentals (e164) WHERE ended_at_us IS NULL;

CREATE TABLE messages (
    id BIGSERIAL NOT NULL,
    account_id BIGINT NOT NULL,
    rental_id BIGINT NOT NULL,
    inbound BOOLEAN NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    content TEXT,
    at_us BIGINT NOT NULL,
    status TEXT NOT NULL CONSTRAINT ck_messages_status CHECK (status IN ('received', 'queued', 'sent', 'delivered', 'failed')),
    cost BIGINT NOT NULL CONSTRAINT ck_messages_cost CHECK (cost >= 0),
    segments SMALLINT NOT NULL,
    forward_of BIGINT,
    reason TEXT,
    CONSTRAINT pk_messages PRIMARY KEY (id),
    CONSTRAINT ck_messages_direction CHECK (inbound = (status = 'received')),
    CONSTRAINT fk_messages_account_id FOREIGN KEY(account_id) REFERENCES accounts (id),
    CONSTRAINT fk_messages_rental_id FOREIGN KEY(rental_id) REFERENCES rentals (id),
    CONSTRAINT fk_messages_forward_of FOREIGN KEY(forward_of) REFERENCES messages (id)
);

CREATE INDEX ix_messages_account_id_id ON messages (account_id, id);

CREATE INDEX ix_messages_rental_id_id ON messages (rental_id, id);

CREATE INDEX ix_messages_sent ON messages (account_id, at_us) WHERE NOT inbound;

CREATE UNIQUE INDEX uq_messages_forward_of ON messages (forward_of) WHERE forward_of IS NOT NULL;

CREATE TABLE minute_bookings (
    rental_id BIGINT NOT NULL,
    from_minute BIGINT NOT NULL,
    to_minute BIGINT NOT NULL,
    after_minute BIGINT,
    transfer_id BIGINT NOT NULL,
    CONSTRAINT pk_minute_bookings PRIMARY KEY (rental_id, from_minute),
    CONSTRAINT ck_minute_bookings_forward CHECK (to_minute > from_minute),
    CONSTRAINT ck_minute_bookings_first CHECK ((from_minute = 0) = (after_minute IS NULL)),
    CONSTRAINT ck_minute_bookings_chain CHECK (after_minute = from_minute),
    CONSTRAINT uq_minute_bookings_rental_id_to_minute UNIQUE (rental_id, to_minute),
    CONSTRAINT fk_minute_bookings_rental_id_after_minute FOREIGN KEY(rental_id, after_minute) REFERENCES minute_bookings (rental_id, to_minute),
    CONSTRAINT fk_minute_bookings_rental_id FOREIGN KEY(rental_id) REFERENCES rentals (id),
    CONSTRAINT fk_minute_bookings_transfer_id FOREIGN KEY(transfer_id) REFERENCES transfers (id)
);

CREATE TABLE deliveries (
    id BIGSERIAL NOT NULL CONSTRAINT pk_deliveries PRIMARY KEY,
    account_id BIGINT NOT NULL,
    rental_id BIGINT NOT NULL,
    message_id BIGINT,
    kind TEXT NOT NULL CONSTRAINT ck_deliveries_kind CHECK (kind IN ('webhook', 'forward', 'send', 'test')),
    destination TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT ck_deliveries_state CHECK (state IN ('waiting', 'delivered', 'parked')),
    created_at_us BIGINT NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    attempts_before INTEGER DEFAULT '0' NOT NULL,
    first_attempt_us BIGINT,
    due_at_us BIGINT NOT NULL,
    leased_until_us BIGINT,
    finished_at_us BIGINT,
    last_status INTEGER,
    reason TEXT,
    CONSTRAINT ck_deliveries_finished CHECK ((state = 'waiting') = (finished_at_us IS NULL)),
    CONSTRAINT ck_deliveries_lease CHECK (state = 'waiting' OR leased_until_us IS NULL),
    CONSTRAINT ck_deliveries_test CHECK ((kind = 'test') = (message_id IS NULL)),
    CONSTRAINT uq_deliveries_message_id_kind UNIQUE (message_id, kind),
    CONSTRAINT fk_deliveries_account_id FOREIGN KEY(account_id) REFERENCES accounts (id),
    CONSTRAINT fk_deliveries_rental_id FOREIGN KEY(rental_id) REFERENCES rentals (id),
    CONSTRAINT fk_deliveries_message_id FOREIGN KEY(message_id) REFERENCES messages (id)
);

CREATE INDEX ix_deliveries_account_id_id ON deliveries (account_id, id);

CREATE INDEX ix_deliveries_due ON deliveries (due_at_us, id) WHERE state = 'waiting';

CREATE INDEX ix_deliveries_line ON deliveries (rental_id, kind, id) WHERE state = 'waiting';

CREATE INDEX ix_deliveries_parked ON deliveries (account_id, id) WHERE state = 'parked';

CREATE INDEX ix_deliveries_retrying ON deliveries (destination, due_at_us) WHERE state = 'waiting' AND attempts > 0;

CREATE TABLE events (
    id BIGSERIAL NOT NULL CONSTRAINT pk_events PRIMARY KEY,
    account_id BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    kind TEXT NOT NULL,
    message_id BIGINT,
    data TEXT DEFAULT '{}' NOT NULL,
    CONSTRAINT fk_events_account_id FOREIGN KEY(account_id) REFERENCES accounts (id),
    CONSTRAINT fk_events_message_id FOREIGN KEY(message_id) REFERENCES messages (id)
);

CREATE INDEX ix_events_account_id_id ON events (account_id, id);

CREATE TABLE attempts (
    delivery_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    at_us BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    status INTEGER,
    reason TEXT NOT NULL,
    reply TEXT,
    CONSTRAINT pk_attempts PRIMARY KEY (delivery_id, attempt),
    CONSTRAINT fk_attempts_delivery_id FOREIGN KEY(delivery_id) REFERENCES deliveries (id)
);

-- postgresql
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;

-- postgresql
CREATE TRIGGER transfers_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- postgresql
CREATE TRIGGER minute_bookings_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON minute_bookings FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- sqlite
CREATE TRIGGER transfers_append_only_update BEFORE UPDATE ON transfers BEGIN SELECT RAISE(ABORT, 'transfers is append-only'); END;

-- sqlite
CREATE TRIGGER transfers_append_only_delete BEFORE DELETE ON transfers BEGIN SELECT RAISE(ABORT, 'transfers is append-only'); END;

-- sqlite
CREATE TRIGGER minute_bookings_append_only_update BEFORE UPDATE ON minute_bookings BEGIN SELECT RAISE(ABORT, 'minute_bookings is append-only'); END;

-- sqlite
CREATE TRIGGER minute_bookings_append_only_delete BEFORE DELETE ON minute_bookings BEGIN SELECT RAISE(ABORT, 'minute_bookings is append-only'); END;

-- the ledger's own account: bitcoin
INSERT INTO accounts (id, kind, created_at_us, settled_at_us, balance, debt) VALUES (1, 'system', 0, 0, 0, 0);

-- the ledger's own account: revenue
INSERT INTO accounts (id, kind, created_at_us, settled_at_us, balance, debt) VALUES (2, 'system', 0, 0, 0, 0);

-- the ledger's own account: receivable
INSERT INTO accounts (id, kind, created_at_us, settled_at_us, balance, debt) VALUES (3, 'system', 0, 0, 0, 0);

-- the ledger's own account: suspense
INSERT INTO accounts (id, kind, created_at_us, settled_at_us, balance, debt) VALUES (4, 'system', 0, 0, 0, 0);

-- the ledger's own account: nobody
INSERT INTO accounts (id, kind, created_at_us, settled_at_us, balance, debt) VALUES (999, 'system', 0, 0, 0, 0);

-- postgresql
SELECT setval('accounts_id_seq', 1000, false);
