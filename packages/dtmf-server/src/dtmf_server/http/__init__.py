"""HTTP code shared by the API and the website: client addresses, validation, streaming, sandbox sync."""
