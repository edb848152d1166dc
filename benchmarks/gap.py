"""How far plans are from the best ones.

The planner's fastest plan is held against a bound, the fastest one of a relaxed problem: every SIMD from the
narrowest to twice that, and nothing to pay for what brings a layer's outputs to the next one. No plan of this cost
model, with the rows and memories that the planner looks at, is faster. Writes ``benchmarks/gap.json`` row by
row, so that an interrupted run goes on where it stopped, and the table of docs/folding.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

from benchmarks.commands import add_again, add_only
from benchmarks.entries import BOARDS, TFC_1W1A, TFC_2W2A, Entry
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from bnnhw.compiler import load_model
from bnnhw.dataflow import Network, budget_of, search, unasked
from bnnhw.dataflow.layers import matrix_foldings
from bnnhw.errors import PlanError
from bnnhw.ir.geometry import Geometry
from bnnhw.passes import to_integers
from bnnhw.toolchain import Board, find_board

RESULTS = ROOT / "benchmarks" / "gap.json"
PAGE = "docs/folding.md"
MODELS = ("digits-binary", "digits-ternary", "mnist-binary", "mnist-ternary", TFC_1W1A, TFC_2W2A)


def every_pair(
    mh: int, mw: int, shape: tuple[int, ...], window: Geometry | None, interval: int, wanted: Mapping[str, Any]
) -> set[tuple[int, int]]:
    """Every PE that makes other passes, with every SIMD from the narrowest within `interval` to twice that."""
    pairs = set()
    for nf in range(1, min(mh, interval) + 1):
        pe = -(-mh // nf)
        narrow = -(-mw // (interval // -(-mh // pe)))
        pairs |= {(pe, simd) for simd in range(narrow, min(2 * narrow, mw) + 1)}
    return pairs


@contextmanager
def relaxed() -> Iterator[None]:
    """The problem of which the planner's is a part."""
    with mock.patch.object(matrix_foldings, "_pairs", every_pair), mock.patch.object(search, "_join", lambda *_: 0.0):
        yield


def measure(network: Network, board: Board) -> dict[str, Any]:
    """Cycles per inference of the plan, and of the bound."""
    part = board.device
    budget = unasked(budget_of(part, network))
    started = time.monotonic()
    found = search.Search(network, part, {}).fastest(budget)
    seconds = time.monotonic() - started
    cycles = max(layer.cycles for layer in found.layers)
    low, high = 0, cycles  # the bound is above `low`, and `high` can be reached
    with relaxed():
        bound = search.Search(network, part, {})
        while low < high - 1:
            middle = (low + high) // 2
            if bound.solve(middle, budget) is None:
                low = middle
            else:
                high = middle
    return {"cycles": cycles, "bound": high, "seconds": round(seconds, 1)}


def entries() -> list[Entry]:
    """What is measured."""
    return [Entry(model, board) for model in MODELS for board in BOARDS]


def results() -> Rows:
    """What is known."""
    return Rows(RESULTS, ("model", "board"), ((entry.title, entry.board) for entry in entries()))


def table(rows: Sequence[Row]) -> str:
    """Cycles and bound of each design."""
    lines = [
        [
            row["model"],
            row["board"],
            f"{row['cycles']:,}",
            f"{row['bound']:,}",
            f"{row['cycles'] / row['bound'] - 1:.1%}",
            f"{row['seconds']:.0f}",
        ]
        for row in rows
    ]
    return markdown(["model", "board", "cycles", "bound", "gap", "s"], lines)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_again(parser)
    add_only(parser, "models and boards")


def run(options: argparse.Namespace) -> int:
    rows = results()
    for entry in entries():
        known = (entry.title, entry.board) in rows and not options.again
        if known or not entry.present or options.only not in entry.name:
            continue
        try:
            found = measure(Network.of(to_integers(load_model(entry.source, None))), find_board(entry.board))
        except PlanError as error:
            print(f"{entry.name}: {error}")
            continue
        row = {"model": entry.title, "board": entry.board, **found}
        print(row, flush=True)
        rows.add(row)
    put(PAGE, "gap", table(rows.all))
    return 0
