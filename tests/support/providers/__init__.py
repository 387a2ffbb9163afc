"""Simulated providers: small HTTP servers on loopback that behave like carriers, and fail like them on request."""
