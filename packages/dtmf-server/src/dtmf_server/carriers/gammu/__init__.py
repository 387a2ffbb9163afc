"""GSM modems under gammu-smsd: its SQL tables are the interface. `rows` reads and builds rows and is pure."""
