"""Simulated Lightning nodes: real HTTP servers on loopback, of the shape that each node documents."""
