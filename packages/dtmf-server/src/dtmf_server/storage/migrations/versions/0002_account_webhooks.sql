ALTER TABLE accounts ADD COLUMN webhook_url TEXT;

CREATE INDEX ix_accounts_warnings ON accounts (low_balance_warnings, depletes_at_us) WHERE depletes_at_us IS NOT NULL;

-- postgresql
ALTER TABLE deliveries
    ALTER COLUMN rental_id DROP NOT NULL,
    ADD COLUMN event_id BIGINT,
    DROP CONSTRAINT ck_deliveries_kind,
    DROP CONSTRAINT ck_deliveries_test,
    ADD CONSTRAINT ck_deliveries_kind CHECK (kind IN ('webhook', 'forward', 'send', 'test', 'event')),
    ADD CONSTRAINT ck_deliveries_message CHECK ((kind IN ('test', 'event')) = (message_id IS NULL)),
    ADD CONSTRAINT ck_deliveries_rental CHECK ((kind = 'event') = (rental_id IS NULL)),
    ADD CONSTRAINT ck_deliveries_event CHECK ((kind = 'event') = (event_id IS NOT NULL)),
    ADD CONSTRAINT uq_deliveries_event_id UNIQUE (event_id),
    ADD CONSTRAINT fk_deliveries_event_id FOREIGN KEY(event_id) REFERENCES events (id);

-- sqlite
CREATE TABLE deliveries_0002 (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL,
    rental_id INTEGER,
    message_id INTEGER,
    event_id INTEGER,
    kind TEXT NOT NULL CONSTRAINT ck_deliveries_kind CHECK (kind IN ('webhook', 'forward', 'send', 'test', 'event')),
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
    CONSTRAINT ck_deliveries_message CHECK ((kind IN ('test', 'event')) = (message_id IS NULL)),
    CONSTRAINT ck_deliveries_rental CHECK ((kind = 'event') = (rental_id IS NULL)),
    CONSTRAINT ck_deliveries_event CHECK ((kind = 'event') = (event_id IS NOT NULL)),
    CONSTRAINT uq_deliveries_message_id_kind UNIQUE (message_id, kind),
    CONSTRAINT uq_deliveries_event_id UNIQUE (event_id),
    CONSTRAINT fk_deliveries_account_id FOREIGN KEY(account_id) REFERENCES accounts (id),
    CONSTRAINT fk_deliveries_rental_id FOREIGN KEY(rental_id) REFERENCES rentals (id),
    CONSTRAINT fk_deliveries_message_id FOREIGN KEY(message_id) REFERENCES messages (id),
    CONSTRAINT fk_deliveries_event_id FOREIGN KEY(event_id) REFERENCES events (id)
);

-- sqlite
INSERT INTO deliveries_0002 (id, account_id, rental_id, message_id, kind, destination, state, created_at_us, attempts,
    attempts_before, first_attempt_us, due_at_us, leased_until_us, finished_at_us, last_status, reason)
SELECT id, account_id, rental_id, message_id, kind, destination, state, created_at_us, attempts, attempts_before,
    first_attempt_us, due_at_us, leased_until_us, finished_at_us, last_status, reason FROM deliveries ORDER BY id;

-- sqlite
-- an id that was given out is never given out again, whatever became of its row
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'deliveries') WHERE name = 'deliveries_0002';

-- sqlite
DROP TABLE deliveries;

-- sqlite
ALTER TABLE deliveries_0002 RENAME TO deliveries;

-- sqlite
CREATE INDEX ix_deliveries_account_id_id ON deliveries (account_id, id);

-- sqlite
CREATE INDEX ix_deliveries_due ON deliveries (due_at_us, id) WHERE state = 'waiting';

CREATE INDEX ix_deliveries_events ON deliveries (account_id, id) WHERE kind = 'event' AND state = 'waiting';

-- postgresql
-- events of deposits name the address from now on
UPDATE events e SET data = (e.data::jsonb || jsonb_build_object('address', a.address))::text
FROM deposits d JOIN addresses a ON a.id = d.address_id
WHERE e.kind LIKE 'deposit.%' AND NOT e.data::jsonb ? 'address'
    AND d.txid = e.data::jsonb ->> 'txid' AND d.vout = (e.data::jsonb ->> 'vout')::integer;

-- sqlite
CREATE INDEX ix_deliveries_line ON deliveries (rental_id, kind, id) WHERE state = 'waiting';

-- sqlite
CREATE INDEX ix_deliveries_parked ON deliveries (account_id, id) WHERE state = 'parked';

-- sqlite
CREATE INDEX ix_deliveries_retrying ON deliveries (destination, due_at_us) WHERE state = 'waiting' AND attempts > 0;

-- sqlite
-- events of deposits name the address from now on
UPDATE events SET data = json_set(data, '$.address', (SELECT a.address FROM deposits d JOIN addresses a ON a.id = d.address_id
    WHERE d.txid = json_extract(events.data, '$.txid') AND d.vout = json_extract(events.data, '$.vout')))
WHERE kind LIKE 'deposit.%' AND json_extract(data, '$.address') IS NULL;
