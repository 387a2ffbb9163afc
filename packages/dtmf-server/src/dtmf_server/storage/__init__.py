"""The database: engines and transactions (db), tables (schema), and one file of statements per table family."""
