"""What the benches of all buses share: names of their files, how they are run, and how long they wait."""

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


def commands(prefix: str) -> tuple[str, str, str]:
    """Lines of a shell that run a bench in Icarus Verilog, and in Verilator."""
    return (
        f"iverilog -g2001 -o {prefix}_tb.vvp {prefix}.v {prefix}_tb.v && vvp -N {prefix}_tb.vvp",
        f"verilator --binary --timing -CFLAGS -std=c++20 {prefix}.v {prefix}_tb.v --top-module {prefix}_tb",
        f"obj_dir/V{prefix}_tb",
    )


def run_comment(prefix: str) -> str:
    """The same in a comment of Verilog."""
    return "\n".join(f"//   $ {line}" for line in commands(prefix))
