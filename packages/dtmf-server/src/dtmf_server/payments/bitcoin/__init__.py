"""The chain, watch-only: addresses from a public descriptor, blocks and mempool from a node or a simulation."""
