"""The SQL of migrations: PostgreSQL types are translated for SQLite, and a released migration never changes."""

import hashlib
from pathlib import Path

import pytest

from dtmf_server.storage.migrations import sql_script

VERSIONS = Path(sql_script.__file__).parent / "versions"

# SHA-256 of the statements in each released file, as each engine runs them.
RELEASED = {
    ("0001_first_tables", "sqlite"): "1ec25964f7c8b1166e2b20d295d5fb564b21f573f1e603d6f196411157249dbc",
    ("0001_first_tables", "postgresql"): "6f79443a5810a7281421bf80f8a747a7316cb535ab6b17df040dff34f523fb6f",
    ("0002_account_webhooks", "sqlite"): "9da3ed01d3ae0f6e6f581593bdfeb83d6b45d4ea605d6e0eaa2e141739dafda1",
    ("0002_account_webhooks", "postgresql"): "b407585a1142cd27dcb533606ccc62245df03fe7135ff40a26eac870789b358f",
    ("0005_carriers", "sqlite"): "ed3c7a8d93f475cc6d269db65d9b343515ad5b400b51bb66e23ef418cea1f0cd",
    ("0005_carriers", "postgresql"): "da9f54560a2ff55e2f690161e7548b5d4e7ed6955cecce3dee17f01a5214fab0",
    ("0009_in_doubt", "sqlite"): "46d38eafced72e142ae43685a35614f1cae7c438716b683d92e98ebdde7765fe",
    ("0009_in_doubt", "postgresql"): "9e7b65fe7b68dced549371337ff3a27cd0645187686493d3e3d0fb66506715d2",
    ("0019_numbers_on_demand", "sqlite"): "7c76f559dfc62c6958d3023e9c9ae77999b47f99422eabe9bcded0b7821c4ede",
    ("0019_numbers_on_demand", "postgresql"): "d629d2bae21d0dc850de3d29d639e74dd397bbb2ab13380a08bb56ba2f55b796",
    ("0021_limits_and_refunds", "sqlite"): "ae8d1d4dd5a8603b08f455b6b5ab0cc2fb370f83fb43fa5f1b326167dbd8beb1",
    ("0021_limits_and_refunds", "postgresql"): "8dd9dc38f733811b515992cdb334657059639ba36e394f844146d0bd45ac6c34",
    ("0022_restricted_tokens", "sqlite"): "38ca2b149dca38981dda247dde71bc6618634ae822f446c9e605fd7ee471c925",
    ("0022_restricted_tokens", "postgresql"): "4fcaad53339773c8fada7c4bb5fc2365e9e13e0077264b769c720a6e2b780657",
    ("0026_operator_books", "sqlite"): "e87f6fc45ecf4701ca109fc4fd0bb12883005ee5ffd473d1bccf648b1577467c",
    ("0026_operator_books", "postgresql"): "e87f6fc45ecf4701ca109fc4fd0bb12883005ee5ffd473d1bccf648b1577467c",
    ("0030_answers_for_operators", "sqlite"): "248636772e5428c8cb5139b055300d4f09ce970243821c6d48f5e298aa7d0ca3",
    ("0030_answers_for_operators", "postgresql"): "ad3426d800cf65d35f416f46a5fe92fce0b66ee84e4b695734815508651e349e",
    ("0031_pegged_prices", "sqlite"): "0f7af81116812988c064b5fc9a96929bdc62b2643e97e088672305497d5883f6",
    ("0031_pegged_prices", "postgresql"): "c8cc46e827274525bc80d7010963254cb16ec54add2d1de83d8a2f3031528a16",
}


@pytest.mark.parametrize(("name", "engine"), RELEASED)
def test_a_released_migration_never_changes(name: str, engine: str) -> None:
    text = (VERSIONS / f"{name}.sql").read_text(encoding="utf-8")
    ran = ";\n\n".join(sql_script.statements(text, engine))
    assert hashlib.sha256(ran.encode()).hexdigest() == RELEASED[name, engine], (
        "databases that have this migration would differ from new ones: write another migration"
    )


def test_every_sql_file_is_known() -> None:
    assert {path.stem for path in VERSIONS.glob("*.sql")} == {name for name, _ in RELEASED}


REFERS = "CONSTRAINT fk FOREIGN KEY(account_id) REFERENCES accounts (id)"


@pytest.mark.parametrize(
    ("statement", "on_sqlite"),
    [
        ("id BIGSERIAL NOT NULL,", "id INTEGER NOT NULL,"),
        ("id BIGSERIAL NOT NULL CONSTRAINT pk_parts PRIMARY KEY,", "id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,"),
        ("id SMALLSERIAL NOT NULL", "id SMALLINT NOT NULL"),
        ("octets BYTEA NOT NULL", "octets BLOB NOT NULL"),
        (f"account_id BIGINT, at_us BIGINT, {REFERS}", f"account_id INTEGER, at_us BIGINT, {REFERS}"),
        ("account_id BIGINT, at_us BIGINT", "account_id BIGINT, at_us BIGINT"),
        (f"other_account_id BIGINT, {REFERS}", f"other_account_id BIGINT, {REFERS}"),
        ("hash BIGINT, FOREIGN KEY(hash) REFERENCES blocks (hash)",) * 2,
        ("what TEXT DEFAULT 'a BYTEA or a BIGSERIAL' NOT NULL",) * 2,
    ],
)
def test_types_are_translated_only_for_sqlite(statement: str, on_sqlite: str) -> None:
    assert list(sql_script.statements(statement, "sqlite")) == [on_sqlite]
    assert list(sql_script.statements(statement, "postgresql")) == [statement]


def test_a_statement_for_one_engine_runs_only_there_and_untranslated() -> None:
    text = "-- postgresql\nSELECT 1::BYTEA;\n\n-- sqlite\nSELECT 'x' AS BYTEA;\n\n-- a comment\nSELECT 2;\n"
    assert list(sql_script.statements(text, "sqlite")) == ["SELECT 'x' AS BYTEA", "-- a comment\nSELECT 2"]
    assert list(sql_script.statements(text, "postgresql")) == ["SELECT 1::BYTEA", "-- a comment\nSELECT 2"]
