"""SMPP 3.4 as an ESME: `pdu` and `codec` define the wire format, `session` the bind's rules, `link` its socket."""
