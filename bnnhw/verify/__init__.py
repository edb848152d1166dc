"""Compares the levels: what the model means, what the reference computes, what the hardware answers."""
