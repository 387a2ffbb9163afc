"""The promises of the service, each with what proves it and the figure it has to give: `python -m proofs`."""

import benchmarks  # noqa: F401 - it puts the tree's own code and tests/ on the path
