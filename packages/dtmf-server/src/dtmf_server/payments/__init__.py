"""Ways to pay: one package for each."""
