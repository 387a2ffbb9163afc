"""Simulated carriers that behave like the real ones, and fail like them on request."""
