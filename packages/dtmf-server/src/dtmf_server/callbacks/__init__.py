"""HTTP requests from outside that are not the API's: carriers bring SMS and receipts here."""
