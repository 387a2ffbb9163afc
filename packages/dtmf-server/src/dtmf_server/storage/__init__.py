"""The database: engines and transactions (db), tables (schema), and one module of statements per group of tables."""
