"""Lookup-table networks: their meaning in numpy, their file, and the trainer that the shipped ones come from."""
