"""Proofs of the units by a solver: ``python -m proofs``."""
