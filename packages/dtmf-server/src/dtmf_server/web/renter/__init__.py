"""Pages for renters."""
