"""What the service does: one function, one transaction. Time, randomness and settings come as arguments."""
