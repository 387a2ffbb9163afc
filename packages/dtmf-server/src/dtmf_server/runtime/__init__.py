"""Shared by every part of a running process: clock, context, logging, metrics."""
