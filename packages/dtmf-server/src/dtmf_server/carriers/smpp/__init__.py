"""SMPP 3.4, as an ESME: `pdu` and `text` are the wire, `session` the rules of a bind, `link` its socket."""
