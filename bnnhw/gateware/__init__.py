"""Amaranth units that know nothing of networks: integers and shapes in, a `wiring.Component` out."""
