"""What every table shares: the metadata with its names for constraints, the type of an id, partial indexes."""

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

# SQLite gives a rowid alias only to a column of type INTEGER; it holds 64 bits there all the same.
Id = BigInteger().with_variant(Integer, "sqlite")


def partial_index(index_name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """A partial index, on both engines."""
    condition = text(where)
    return Index(index_name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
