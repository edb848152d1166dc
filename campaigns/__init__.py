"""Long runs that look for faults: ``python -m campaigns NAME``."""
