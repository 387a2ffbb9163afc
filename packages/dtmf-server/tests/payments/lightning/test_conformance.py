"""Every backend keeps the promises of the protocol, on a simulated node of its kind."""

from support.lightning.conformance import Conformance


class TestSimulatedNodes(Conformance):
    """The fixture `peer` has each kind."""
