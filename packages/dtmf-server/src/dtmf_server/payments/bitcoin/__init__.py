"""Watch-only Bitcoin: addresses from a public descriptor, blocks and mempool from a node or a simulation."""
