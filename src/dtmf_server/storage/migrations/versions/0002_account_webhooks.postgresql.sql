ALTER TABLE accounts ADD COLUMN webhook_url TEXT;

CREATE INDEX ix_accounts_warnings ON accounts (low_balance_warnings, depletes_at_us) WHERE depletes_at_us IS NOT NULL;

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

CREATE INDEX ix_deliveries_events ON deliveries (account_id, id) WHERE kind = 'event' AND state = 'waiting';

-- events of deposits name the address from now on
UPDATE events e SET data = (e.data::jsonb || jsonb_build_object('address', a.address))::text
FROM deposits d JOIN addresses a ON a.id = d.address_id
WHERE e.kind LIKE 'deposit.%' AND NOT e.data::jsonb ? 'address'
    AND d.txid = e.data::jsonb ->> 'txid' AND d.vout = (e.data::jsonb ->> 'vout')::integer;
