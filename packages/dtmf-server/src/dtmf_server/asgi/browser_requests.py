"""Tell browsers, which get error pages, from programs, which get problem details."""


def wants_page(path: str, accept: str) -> bool:
    """True if the client is a browser outside the API."""
    return "text/html" in accept and not path.startswith(
        ("/api/", "/schema/", "/docs", "/healthz", "/readyz", "/callbacks/")
    )
