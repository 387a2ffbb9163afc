"""The wire: HTTP and JSON outside, operations inside. Names are published; translation happens only here."""
