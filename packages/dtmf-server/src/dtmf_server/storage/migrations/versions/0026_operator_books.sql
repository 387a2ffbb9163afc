CREATE TABLE ledger_days (
    day BIGINT NOT NULL,
    kind TEXT NOT NULL,
    debit BIGINT NOT NULL,
    credit BIGINT NOT NULL,
    amount BIGINT NOT NULL CONSTRAINT ck_ledger_days_amount CHECK (amount > 0),
    transfers BIGINT NOT NULL,
    first_id BIGINT NOT NULL,
    last_id BIGINT NOT NULL,
    CONSTRAINT pk_ledger_days PRIMARY KEY (day, kind, debit, credit),
    CONSTRAINT ck_ledger_days_ids CHECK (first_id <= last_id)
);

CREATE TABLE alerts (
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    is_firing BOOLEAN NOT NULL,
    changed_wall_us BIGINT NOT NULL,
    text TEXT NOT NULL,
    posted_firing BOOLEAN,
    fired_wall_us BIGINT,
    attempts INTEGER NOT NULL,
    retry_wall_us BIGINT NOT NULL,
    CONSTRAINT pk_alerts PRIMARY KEY (name, subject)
);

ALTER TABLE service ADD COLUMN ledger_days_id BIGINT DEFAULT '0' NOT NULL;

ALTER TABLE service ADD COLUMN backed_up_wall_us BIGINT;

CREATE INDEX ix_rentals_ended_at_us ON rentals (ended_at_us) WHERE ended_at_us IS NOT NULL;
