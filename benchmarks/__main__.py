"""Runs one of the benchmarks."""

import sys

from benchmarks.commands import run

NAMES = (
    "designs",
    "boards",
    "compile",
    "simulation",
    "reference",
    "units",
    "constants",
    "lookup",
    "clocks",
    "gap",
    "explore",
    "families",
    "calibrate",
    "cifar-cnv",
    "lenet",
    "quantize",
    "link",
    "install",
)

if __name__ == "__main__":
    sys.exit(run("benchmarks", NAMES))
