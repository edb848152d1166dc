"""Measures against peers and limits, and writes the tables of the documentation: ``python -m benchmarks NAME``."""
