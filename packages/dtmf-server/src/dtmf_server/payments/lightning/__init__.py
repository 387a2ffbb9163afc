"""Lightning: the protocol of nodes, and a backend for each kind of node."""
