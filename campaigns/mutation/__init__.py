"""Faults in generated hardware, all of them in one netlist and chosen while it is simulated."""
