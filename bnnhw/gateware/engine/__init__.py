"""The circuits of the engine: an array of PEs, its memories, and what reads the layer table."""
