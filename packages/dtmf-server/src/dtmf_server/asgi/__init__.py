"""The ASGI application: API and website behind one middleware."""
