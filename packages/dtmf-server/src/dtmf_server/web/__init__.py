"""The website: everything a renter can do through the API, for people. Every page works without JavaScript."""
