"""The operator's console: one file per page."""
