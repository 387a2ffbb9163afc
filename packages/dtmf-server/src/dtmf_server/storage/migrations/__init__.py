"""The schema migrations, shared by both engines; forward only."""
