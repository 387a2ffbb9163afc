"""The website: everything the API offers, as pages that work without JavaScript."""
