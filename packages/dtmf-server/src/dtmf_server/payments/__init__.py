"""Payment methods, one package each."""
