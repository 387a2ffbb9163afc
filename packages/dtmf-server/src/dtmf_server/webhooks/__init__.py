"""Webhooks and forwards: where they may go, how one is posted, and what came back."""
