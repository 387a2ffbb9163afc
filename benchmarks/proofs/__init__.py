"""The promises of the service, each with what proves it and the figure it has to give."""
