"""The tools of DTMF for language models: one definition, served over stdio and over HTTP.

tools.py defines them, untrusted.py marks the text of SMS, server.py builds the MCP server, and stdio.py and http.py serve
it. Importing `mcp` takes longer than everything else in DTMF, so only `dtmf mcp` and `/mcp` import these modules."""

__version__ = "0.1.0"
