"""Plan -> circuits: the accelerator, the design of a board, and the accelerator behind a bus."""
