"""Simulated providers: small real HTTP servers that behave as a kind of carrier's provider does, with faults on demand."""
