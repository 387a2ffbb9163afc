"""The recorder of a carrier's traffic (core/trace.py), for carriers in this package and in plug-ins."""

from dtmf_server.core.trace import Trace, TraceEntry, mask, mask_number

__all__ = ["Trace", "TraceEntry", "mask", "mask_number"]
