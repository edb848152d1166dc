"""What the benches of all buses share: names of their files, and how long they wait."""

from __future__ import annotations


def frames_file(prefix: str) -> str:
    """What a bench sends."""
    return f"{prefix}_frames.hex"


def results_file(prefix: str) -> str:
    """What it has to get."""
    return f"{prefix}_results.hex"


def masks_file(prefix: str) -> str:
    """Which bits of that mean anything."""
    return f"{prefix}_masks.hex"


def hang_cycles(latency: int) -> int:
    """Cycles, or accesses, without a beat after which a bench gives up."""
    return 200_000 + latency
