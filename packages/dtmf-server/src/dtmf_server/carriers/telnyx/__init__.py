"""Carrier kind "telnyx": Telnyx's messaging API v2."""
