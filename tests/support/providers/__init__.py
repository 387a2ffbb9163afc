"""Simulated providers: each keeps what it was sent, and shows the service what the real one would."""
