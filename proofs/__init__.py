"""The promises of the service, each with its proof and the target figures: `python -m proofs`."""

import benchmarks  # noqa: F401 - it puts the tree's own code and tests/ on the path
