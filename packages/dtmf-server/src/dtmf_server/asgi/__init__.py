"""The ASGI application: the API and the website behind one middleware."""
