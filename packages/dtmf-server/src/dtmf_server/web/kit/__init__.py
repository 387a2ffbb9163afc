"""What every page of the website uses."""
