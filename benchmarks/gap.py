"""Measures how far plans are from the best ones, and writes docs/folding.md.

    python -m benchmarks.gap [--only TEXT]

The planner's fastest plan is held against a bound, the fastest one of a relaxed problem: every SIMD from the
narrowest to twice that, and nothing to pay for what brings a layer's outputs to the next one. No plan of this cost
model, with the rows and memories that the planner looks at, is faster. Rows go to ``benchmarks/gap.json`` one by one;
known ones are not done again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from benchmarks.entries import BOARDS, ROOT, TFC_1W1A, TFC_2W2A, Entry
from benchmarks.tables import markdown
from bnnhw.compiler import load_model
from bnnhw.dataflow import Network, budget_of, candidates, folding, unasked
from bnnhw.dataflow.layers import MatrixLayer
from bnnhw.errors import PlanError
from bnnhw.files import write_text
from bnnhw.passes import to_integers
from bnnhw.toolchain import Board, find_board

RESULTS = ROOT / "benchmarks" / "gap.json"
TEXT, PAGE = ROOT / "benchmarks" / "folding.md", ROOT / "docs" / "folding.md"
MODELS = ("digits-binary", "digits-ternary", "mnist-binary", "mnist-ternary", TFC_1W1A, TFC_2W2A)


def every_pair(layer: MatrixLayer, interval: int, wanted: Mapping[str, Any]) -> set[tuple[int, int]]:
    """Every PE that makes other passes, with every SIMD from the narrowest within `interval` to twice that."""
    pairs = set()
    for nf in range(1, min(layer.mh, interval) + 1):
        pe = -(-layer.mh // nf)
        narrow = -(-layer.mw // (interval // -(-layer.mh // pe)))
        pairs |= {(pe, simd) for simd in range(narrow, min(2 * narrow, layer.mw) + 1)}
    return pairs


@contextmanager
def relaxed() -> Iterator[None]:
    """The problem of which the planner's is a part."""
    with mock.patch.object(candidates, "_pairs", every_pair), mock.patch.object(folding, "_join", lambda *_: 0.0):
        yield


def measure(network: Network, board: Board) -> dict[str, Any]:
    """Cycles per inference of the plan, and of the bound."""
    part = board.device
    budget = unasked(budget_of(part, network))
    started = time.monotonic()
    found = folding.fastest(network, part, budget, {})
    seconds = time.monotonic() - started
    cycles = max(layer.cycles for layer in found.layers)
    low, high = 0, cycles  # the bound is above `low`, and `high` can be reached
    with relaxed():
        while low < high - 1:
            middle = (low + high) // 2
            if folding.solve(network, part, middle, budget, {}) is None:
                low = middle
            else:
                high = middle
    return {"cycles": cycles, "bound": high, "seconds": round(seconds, 1)}


def page(rows: list[dict[str, Any]]) -> str:
    """docs/folding.md: a text, and the table behind it."""
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
    return f"{TEXT.read_text()}\n{markdown(['model', 'board', 'cycles', 'bound', 'gap', 's'], lines)}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gap", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="models and boards whose name holds this text")
    options = parser.parse_args()
    rows = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
    known = {(row["model"], row["board"]): row for row in rows}
    entries = [Entry(model, board) for model in MODELS for board in BOARDS]
    for entry in entries:
        key = entry.title, entry.board
        if not entry.present or options.only not in entry.name or key in known:
            continue
        try:
            found = measure(Network.of(to_integers(load_model(entry.source, None))), find_board(entry.board))
        except PlanError as error:
            print(f"{entry.name}: {error}")
            continue
        known[key] = {"model": entry.title, "board": entry.board, **found}
        print(known[key], flush=True)
        rows = [known[e.title, e.board] for e in entries if (e.title, e.board) in known]
        write_text(RESULTS, json.dumps(rows, indent=1) + "\n")
        write_text(PAGE, page(rows))


if __name__ == "__main__":
    main()
