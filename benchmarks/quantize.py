"""Placeholder of the benchmark."""
