"""The DTMF service: rents phone numbers by the minute and hands the renter every SMS that arrives."""

__version__ = "0.1.0"
