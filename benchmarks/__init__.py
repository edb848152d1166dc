"""Measures designs, and writes the tables and the plot of the documentation: ``python -m benchmarks``."""
