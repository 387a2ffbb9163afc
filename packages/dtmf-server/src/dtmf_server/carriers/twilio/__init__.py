"""Twilio's messaging API, which SignalWire offers too."""
