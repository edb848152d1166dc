"""Runs one of the campaigns."""

import sys

from benchmarks.commands import run

NAMES = ("levels", "faults", "mutants")

if __name__ == "__main__":
    sys.exit(run("campaigns", NAMES))
