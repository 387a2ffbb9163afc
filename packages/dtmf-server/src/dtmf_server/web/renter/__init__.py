"""The renter's pages."""
