"""Many designs side by side: points, the executors that measure them, and what is kept and shown of the results."""
