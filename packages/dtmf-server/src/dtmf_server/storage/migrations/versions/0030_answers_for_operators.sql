CREATE TABLE api_requests (
    id BIGSERIAL NOT NULL,
    request_id TEXT NOT NULL,
    account_id BIGINT NOT NULL,
    token_id BIGINT,
    operation TEXT NOT NULL,
    status INTEGER NOT NULL,
    code TEXT CONSTRAINT ck_api_requests_code CHECK ((code IS NULL) = (status < 400)),
    is_repeated BOOLEAN NOT NULL,
    at_wall_us BIGINT NOT NULL,
    changes TEXT NOT NULL CONSTRAINT ck_api_requests_changes CHECK (changes = '{}' OR (code IS NULL AND NOT is_repeated)),
    CONSTRAINT pk_api_requests PRIMARY KEY (id),
    CONSTRAINT fk_api_requests_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE INDEX ix_api_requests_request_id ON api_requests (request_id);

CREATE INDEX ix_api_requests_account_id_id ON api_requests (account_id, id);

CREATE TABLE carrier_answers (
    carrier TEXT NOT NULL,
    hour BIGINT NOT NULL,
    ms BIGINT NOT NULL,
    answers BIGINT NOT NULL,
    CONSTRAINT pk_carrier_answers PRIMARY KEY (carrier, hour, ms)
);
