ALTER TABLE groups ADD COLUMN carriers TEXT DEFAULT '' NOT NULL;

CREATE TABLE carriers (
    name TEXT NOT NULL,
    CONSTRAINT pk_carriers PRIMARY KEY (name)
);

CREATE TABLE arrivals (
    id BIGSERIAL NOT NULL CONSTRAINT pk_arrivals PRIMARY KEY,
    carrier TEXT NOT NULL,
    digest TEXT NOT NULL,
    link BIGINT NOT NULL,
    stored_wall_us BIGINT NOT NULL,
    answered_wall_us BIGINT,
    CONSTRAINT fk_arrivals_carrier FOREIGN KEY(carrier) REFERENCES carriers (name)
);

CREATE INDEX ix_arrivals_carrier_digest ON arrivals (carrier, digest);

CREATE TABLE parts (
    id BIGSERIAL NOT NULL CONSTRAINT pk_parts PRIMARY KEY,
    carrier TEXT NOT NULL,
    recipient TEXT NOT NULL,
    sender TEXT NOT NULL,
    ref INTEGER NOT NULL,
    ref_bits SMALLINT NOT NULL,
    total SMALLINT NOT NULL,
    number SMALLINT NOT NULL,
    octets BYTEA NOT NULL,
    coding TEXT NOT NULL,
    dcs SMALLINT NOT NULL,
    udh BYTEA NOT NULL,
    stored_wall_us BIGINT NOT NULL,
    CONSTRAINT ck_parts_number CHECK (number BETWEEN 1 AND total),
    CONSTRAINT fk_parts_carrier FOREIGN KEY(carrier) REFERENCES carriers (name)
);

CREATE INDEX ix_parts_carrier_recipient ON parts (carrier, recipient);

CREATE INDEX ix_parts_stored_wall_us ON parts (stored_wall_us);

CREATE TABLE submissions (
    id BIGSERIAL NOT NULL CONSTRAINT pk_submissions PRIMARY KEY,
    carrier TEXT NOT NULL,
    ref TEXT NOT NULL,
    message_id BIGINT NOT NULL,
    delivered BOOLEAN NOT NULL,
    taken_wall_us BIGINT NOT NULL,
    CONSTRAINT fk_submissions_message_id FOREIGN KEY(message_id) REFERENCES messages (id)
);

CREATE INDEX ix_submissions_carrier_ref ON submissions (carrier, ref);

CREATE INDEX ix_submissions_message_id ON submissions (message_id);

CREATE INDEX ix_submissions_taken_wall_us ON submissions (taken_wall_us);

CREATE TABLE early_receipts (
    id BIGSERIAL NOT NULL CONSTRAINT pk_early_receipts PRIMARY KEY,
    carrier TEXT NOT NULL,
    ref TEXT NOT NULL,
    delivered BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    sender TEXT NOT NULL,
    stored_wall_us BIGINT NOT NULL
);

CREATE INDEX ix_early_receipts_carrier_ref ON early_receipts (carrier, ref);

CREATE INDEX ix_early_receipts_stored_wall_us ON early_receipts (stored_wall_us);

CREATE TABLE carrier_links (
    carrier TEXT NOT NULL,
    link TEXT NOT NULL,
    state TEXT NOT NULL,
    since_wall_us BIGINT NOT NULL,
    heard_wall_us BIGINT NOT NULL,
    arrived BIGINT NOT NULL,
    submitted BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    p95_us BIGINT NOT NULL,
    reason TEXT NOT NULL,
    noted_wall_us BIGINT NOT NULL,
    CONSTRAINT pk_carrier_links PRIMARY KEY (carrier, link),
    CONSTRAINT fk_carrier_links_carrier FOREIGN KEY(carrier) REFERENCES carriers (name)
);
