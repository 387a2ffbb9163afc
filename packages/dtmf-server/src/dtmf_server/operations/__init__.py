"""The operations of the service: one function, one transaction. Time, randomness and settings are arguments."""
