-- postgresql
ALTER TABLE messages DROP CONSTRAINT ck_messages_status,
    ADD CONSTRAINT ck_messages_status
    CHECK (status IN ('received', 'queued', 'sent', 'delivered', 'failed', 'in_doubt', 'unknown'));

-- postgresql
ALTER TABLE deliveries
    ADD COLUMN submitted_at_us BIGINT,
    ADD COLUMN stop_reason TEXT,
    DROP CONSTRAINT ck_deliveries_state,
    DROP CONSTRAINT ck_deliveries_finished,
    ADD CONSTRAINT ck_deliveries_state CHECK (state IN ('waiting', 'delivered', 'parked', 'in_doubt', 'unknown')),
    ADD CONSTRAINT ck_deliveries_finished CHECK ((state IN ('waiting', 'in_doubt')) = (finished_at_us IS NULL)),
    ADD CONSTRAINT ck_deliveries_submitted
    CHECK (submitted_at_us IS NULL OR (state = 'waiting' AND kind IN ('send', 'forward'))),
    ADD CONSTRAINT ck_deliveries_doubt CHECK (state NOT IN ('in_doubt', 'unknown') OR kind IN ('send', 'forward'));

-- postgresql
ALTER TABLE submissions ADD COLUMN segment SMALLINT, ADD COLUMN total SMALLINT, ALTER COLUMN ref DROP NOT NULL;

-- postgresql
-- a message's segments were stored in their order
UPDATE submissions s SET segment = n.segment, total = n.total FROM
    (SELECT id, row_number() OVER (PARTITION BY message_id ORDER BY id) AS segment,
        count(*) OVER (PARTITION BY message_id) AS total FROM submissions) n WHERE n.id = s.id;

-- postgresql
ALTER TABLE submissions ALTER COLUMN segment SET NOT NULL, ALTER COLUMN total SET NOT NULL,
    ADD CONSTRAINT uq_submissions_message_id_segment UNIQUE (message_id, segment);

-- postgresql
DROP INDEX ix_submissions_message_id;

-- postgresql
CREATE INDEX ix_messages_in_doubt ON messages (sender, id) WHERE status = 'in_doubt';

-- postgresql
CREATE INDEX ix_deliveries_in_doubt ON deliveries (due_at_us) WHERE state = 'in_doubt';

-- postgresql
CREATE INDEX ix_deliveries_submitted ON deliveries (leased_until_us) WHERE submitted_at_us IS NOT NULL;

ALTER TABLE early_receipts ADD COLUMN recipient TEXT DEFAULT '' NOT NULL;

-- sqlite
CREATE TABLE messages_0009 (
    id INTEGER NOT NULL,
    account_id INTEGER NOT NULL,
    rental_id INTEGER NOT NULL,
    inbound BOOLEAN NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    content TEXT,
    at_us BIGINT NOT NULL,
    status TEXT NOT NULL CONSTRAINT ck_messages_status CHECK (status IN ('received', 'queued', 'sent', 'delivered', 'failed', 'in_doubt', 'unknown')),
    cost BIGINT NOT NULL CONSTRAINT ck_messages_cost CHECK (cost >= 0),
    segments SMALLINT NOT NULL,
    forward_of INTEGER,
    reason TEXT,
    CONSTRAINT pk_messages PRIMARY KEY (id),
    CONSTRAINT ck_messages_direction CHECK (inbound = (status = 'received')),
    CONSTRAINT fk_messages_account_id FOREIGN KEY(account_id) REFERENCES accounts (id),
    CONSTRAINT fk_messages_rental_id FOREIGN KEY(rental_id) REFERENCES rentals (id),
    CONSTRAINT fk_messages_forward_of FOREIGN KEY(forward_of) REFERENCES messages (id)
);

-- sqlite
INSERT INTO messages_0009 (id, account_id, rental_id, inbound, sender, recipient, content, at_us, status, cost, segments, forward_of,
    reason)
SELECT id, account_id, rental_id, inbound, sender, recipient, content, at_us, status, cost, segments, forward_of,
    reason
FROM messages ORDER BY id;

-- sqlite
DROP TABLE messages;

-- sqlite
ALTER TABLE messages_0009 RENAME TO messages;

-- sqlite
CREATE INDEX ix_messages_account_id_id ON messages (account_id, id);

-- sqlite
CREATE INDEX ix_messages_forwarded ON messages (recipient, sender, at_us) WHERE forward_of IS NOT NULL;

-- sqlite
CREATE INDEX ix_messages_in_doubt ON messages (sender, id) WHERE status = 'in_doubt';

-- sqlite
CREATE INDEX ix_messages_rental_id_id ON messages (rental_id, id);

-- sqlite
CREATE INDEX ix_messages_sent ON messages (account_id, at_us) WHERE NOT inbound;

-- sqlite
CREATE UNIQUE INDEX uq_messages_forward_of ON messages (forward_of) WHERE forward_of IS NOT NULL;

-- sqlite
CREATE TABLE deliveries_0009 (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL,
    rental_id INTEGER,
    message_id INTEGER,
    event_id INTEGER,
    kind TEXT NOT NULL CONSTRAINT ck_deliveries_kind CHECK (kind IN ('webhook', 'forward', 'send', 'test', 'event')),
    destination TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT ck_deliveries_state CHECK (state IN ('waiting', 'delivered', 'parked', 'in_doubt', 'unknown')),
    created_at_us BIGINT NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    attempts_before INTEGER DEFAULT '0' NOT NULL,
    first_attempt_us BIGINT,
    due_at_us BIGINT NOT NULL,
    leased_until_us BIGINT,
    finished_at_us BIGINT,
    last_status INTEGER,
    reason TEXT,
    submitted_at_us BIGINT,
    stop_reason TEXT,
    CONSTRAINT ck_deliveries_finished CHECK ((state IN ('waiting', 'in_doubt')) = (finished_at_us IS NULL)),
    CONSTRAINT ck_deliveries_submitted CHECK (submitted_at_us IS NULL OR (state = 'waiting' AND kind IN ('send', 'forward'))),
    CONSTRAINT ck_deliveries_doubt CHECK (state NOT IN ('in_doubt', 'unknown') OR kind IN ('send', 'forward')),
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
INSERT INTO deliveries_0009 (id, account_id, rental_id, message_id, event_id, kind, destination, state, created_at_us, attempts,
    attempts_before, first_attempt_us, due_at_us, leased_until_us, finished_at_us, last_status, reason)
SELECT id, account_id, rental_id, message_id, event_id, kind, destination, state, created_at_us, attempts,
    attempts_before, first_attempt_us, due_at_us, leased_until_us, finished_at_us, last_status, reason
FROM deliveries ORDER BY id;

-- sqlite
-- an id is never used twice, even after its row is gone
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'deliveries') WHERE name = 'deliveries_0009';

-- sqlite
INSERT INTO sqlite_sequence (name, seq) SELECT 'deliveries_0009', seq FROM sqlite_sequence
WHERE name = 'deliveries' AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'deliveries_0009');

-- sqlite
DROP TABLE deliveries;

-- sqlite
ALTER TABLE deliveries_0009 RENAME TO deliveries;

-- sqlite
CREATE INDEX ix_deliveries_account_id_id ON deliveries (account_id, id);

-- sqlite
CREATE INDEX ix_deliveries_due ON deliveries (due_at_us, id) WHERE state = 'waiting' AND due_at_us >= 0;

-- sqlite
CREATE INDEX ix_deliveries_events ON deliveries (account_id, id) WHERE kind = 'event' AND state = 'waiting';

-- sqlite
CREATE INDEX ix_deliveries_in_doubt ON deliveries (due_at_us) WHERE state = 'in_doubt';

-- sqlite
CREATE INDEX ix_deliveries_line ON deliveries (rental_id, kind, id) WHERE state = 'waiting';

-- sqlite
CREATE INDEX ix_deliveries_parked ON deliveries (account_id, id) WHERE state = 'parked';

-- sqlite
CREATE INDEX ix_deliveries_retrying ON deliveries (destination, due_at_us) WHERE state = 'waiting' AND attempts > 0;

-- sqlite
CREATE INDEX ix_deliveries_submitted ON deliveries (leased_until_us) WHERE submitted_at_us IS NOT NULL;

-- sqlite
CREATE TABLE submissions_0009 (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    carrier TEXT NOT NULL,
    ref TEXT,
    message_id INTEGER NOT NULL,
    delivered BOOLEAN NOT NULL,
    taken_wall_us BIGINT NOT NULL,
    segment SMALLINT NOT NULL,
    total SMALLINT NOT NULL,
    CONSTRAINT uq_submissions_message_id_segment UNIQUE (message_id, segment),
    CONSTRAINT fk_submissions_message_id FOREIGN KEY(message_id) REFERENCES messages (id)
);

-- sqlite
INSERT INTO submissions_0009 (id, carrier, ref, message_id, delivered, taken_wall_us, segment, total)
SELECT id, carrier, ref, message_id, delivered, taken_wall_us, row_number() OVER (PARTITION BY message_id ORDER BY id),
    count(*) OVER (PARTITION BY message_id) FROM submissions ORDER BY id;

-- sqlite
-- an id is never used twice, even after its row is gone
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'submissions') WHERE name = 'submissions_0009';

-- sqlite
INSERT INTO sqlite_sequence (name, seq) SELECT 'submissions_0009', seq FROM sqlite_sequence
WHERE name = 'submissions' AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'submissions_0009');

-- sqlite
DROP TABLE submissions;

-- sqlite
ALTER TABLE submissions_0009 RENAME TO submissions;

-- sqlite
CREATE INDEX ix_submissions_carrier_ref ON submissions (carrier, ref);

-- sqlite
CREATE INDEX ix_submissions_taken_wall_us ON submissions (taken_wall_us);

-- Whether a carrier has these is not known: they become in doubt when the service starts.
UPDATE deliveries SET submitted_at_us = coalesce(first_attempt_us, created_at_us)
WHERE state = 'waiting' AND kind IN ('send', 'forward')
    AND (leased_until_us IS NOT NULL OR reason = 'the carrier did not answer')
    AND EXISTS (SELECT 1 FROM messages m WHERE m.status = 'queued' AND
        (m.forward_of = deliveries.message_id OR (m.id = deliveries.message_id AND NOT m.inbound)));
