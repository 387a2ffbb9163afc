"""Shared by all tables: the metadata with its naming convention, the type of an ID, partial indexes."""

from sqlalchemy import BigInteger, Index, Integer, MetaData, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite makes only a column of type INTEGER a rowid alias; it stores 64 bits there all the same.
Id = BigInteger().with_variant(Integer, "sqlite")


def partial_index(index_name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return a partial index for both engines."""
    condition = text(where)
    return Index(index_name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
