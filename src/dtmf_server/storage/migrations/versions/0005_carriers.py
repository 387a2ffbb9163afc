"""Real carriers: parts that wait, arrivals and whether they were answered, what was taken, how links stand."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Runs the statements of this engine's file; they are separated by a semicolon and an empty line."""
    connection = op.get_bind()
    sql = Path(__file__).with_suffix(f".{connection.dialect.name}.sql").read_text(encoding="utf-8")
    for statement in sql.split(";\n\n"):
        connection.exec_driver_sql(statement.strip().removesuffix(";").replace("%", "%%"))
