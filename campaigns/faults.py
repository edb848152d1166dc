"""Runs inferences over a line that damages packets, on the gateware of a whole board in the simulator.

Each kind of fault, and all together, get 10,000 inferences; all together get as many on other boards. What is done is
kept in ``campaigns/results/faults.json``, which is not part of the repository, so that an interrupted run goes on where
it stopped; the table goes to docs/faults.md. The exit status is 1 if an answer was wrong or lost, or the line did not
recover.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import bnnhw
from benchmarks.commands import add_again, add_only
from benchmarks.pages import ROOT, markdown, put
from benchmarks.rows import Row as Result
from benchmarks.rows import Rows
from bnnhw import reference
from bnnhw.design import Design
from bnnhw.errors import LinkError
from bnnhw.host import Driver
from bnnhw.inputs import inputs_for
from bnnhw.verify.link_faults import HOST_DIES, KINDS, LINE_FAULTS, POWER_FAILS, FaultyPort, HostDied, Kind
from bnnhw.verify.simulated_board import SimulatedBoard

FILE = ROOT / "campaigns" / "results" / "faults.json"
PAGE = "docs/faults.md"

# The shipped model with the shortest frames, and as few PEs, which are simulated fastest, as keep up with the line.
MODEL, BOARD, FPS = "digits-binary", "ice40-hx8k-b-evn", 60_000
# A slower clock for the same bits, and longer blocks.
OTHER_BOARDS = ("icebreaker", "ulx3s-85f")
INFERENCES = 10_000
# Of one program: then it ends, and the next one starts.
SESSION = 200
# Any: a simulated board says when it has nothing more to say.
TIMEOUT = 1.0
# Lost packets are rare elsewhere; here they are what is measured.
SILENCES = 12


class Row(NamedTuple):
    """A row of the table."""

    name: str
    what: str
    kinds: tuple[Kind, ...]
    board: str = BOARD


# All together damage as much of the traffic as one kind alone.
SHARED = tuple(replace(kind, rate=kind.rate / len(LINE_FAULTS)) for kind in LINE_FAULTS)
ROWS = (
    *(Row(kind.name, kind.what, (kind,)) for kind in KINDS),
    *(
        Row("all of these", "a packet meets one of the above", (*SHARED, HOST_DIES, POWER_FAILS), board)
        for board in (BOARD, *OTHER_BOARDS)
    ),
)


@dataclass
class Outcome:
    """What became of the inferences under one kind of fault."""

    kind: str
    what: str
    board: str
    inferences: int = 0
    sessions: int = 0
    requests: int = 0
    damaged: int = 0
    retries: int = 0
    silences: int = 0
    accepted: int = 0
    wrong: int = 0
    lost: int = 0
    recovered: bool = False
    cycles: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Samples:
    """Frames as codes, and the right answers to them."""

    codes: NDArray[np.integer[Any]]
    integers: NDArray[np.int64]
    labels: NDArray[np.int64]

    def take(self, count: int, seed: int) -> Samples:
        """`count` of them in random order, so that answers to neighbours differ."""
        chosen = np.random.default_rng(seed).integers(0, len(self.codes), count)
        return Samples(self.codes[chosen], self.integers[chosen], self.labels[chosen])


def samples_of(design: Design) -> Samples:
    """A shipped model's own samples, with the reference's answers."""
    inputs = inputs_for(design.graph, None, None).values
    values = reference.encode_inputs(design.graph, inputs)
    answers = reference.run(design.graph, inputs)
    return Samples(
        design.plan.input_dtype.encode(values.reshape(len(values), -1)),
        np.asarray(answers["integers"], np.int64).reshape(len(values), -1),
        np.asarray(answers["prediction"], np.int64).reshape(-1),
    )


def campaign(
    start: Callable[[], SimulatedBoard],
    digest: bytes,
    samples: Samples,
    row: Row,
    *,
    inferences: int,
    seed: int = 1,
    session: int = SESSION,
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> Outcome:
    """Runs `inferences` under faults of `row`, and then as many as a session has without any.

    A program that dies is followed by another one, which starts its session again from the first frame.
    """
    outcome = Outcome(row.name, row.what, row.board)
    started = time.monotonic()
    port = FaultyPort(start, row.kinds, seed=seed)
    try:
        while outcome.inferences < inferences:
            count = min(session, inferences - outcome.inferences)
            frames = samples.take(count, seed + outcome.sessions)
            outcome.sessions += 1
            port.forget()
            driver = Driver(port, timeout=TIMEOUT, silences=SILENCES, digest=digest)
            try:
                results = driver.infer(frames.codes)
            except LinkError as error:
                if not isinstance(error.__cause__, HostDied):
                    print(f"\n{row.name}: {error}", file=sys.stderr)
                    outcome.inferences += count
                    outcome.lost += count
            else:
                outcome.inferences += count
                outcome.accepted += len(results.labels)
                right = (results.integers == frames.integers).all(axis=1) & (results.labels == frames.labels)
                outcome.wrong += int((~right | results.errors).sum())
            outcome.requests += driver.traffic.requests
            outcome.retries += driver.traffic.retries
            outcome.silences += driver.traffic.silences
            outcome.damaged = port.damaged
            outcome.seconds = round(time.monotonic() - started, 1)
            progress(outcome)
        outcome.recovered = is_well(port, digest, samples.take(session, seed))
    finally:
        outcome.cycles = port.close()
    return outcome


def is_well(port: FaultyPort, digest: bytes, samples: Samples) -> bool:
    """Whether without further faults everything is right at the first try; only what was under way may be lost."""
    port.heal()
    driver = Driver(port, timeout=TIMEOUT, digest=digest)
    driver.identify()
    before = driver.traffic.retries
    results = driver.infer(samples.codes)
    right = (results.integers == samples.integers).all() and (results.labels == samples.labels).all()
    return bool(right) and driver.traffic.retries == before


def table(outcomes: Sequence[Result]) -> str:
    """What became of all inferences, in all and for each kind of fault."""
    total = {key: sum(o[key] for o in outcomes) for key in ("inferences", "damaged", "retries", "wrong", "lost")}
    summary = (
        f"In all: {total['inferences']:,} inferences, {total['damaged']:,} damaged packets, "
        f"{total['retries']:,} retries, **{total['wrong']:,} wrong answers, {total['lost']:,} lost**."
    )
    header = (
        "fault",
        "what happens",
        "board",
        "inferences",
        "packets damaged",
        "retries",
        "accepted",
        "wrong",
        "lost",
        "recovered",
    )
    lines = []
    for o in outcomes:
        counts = [f"{o[key]:,}" for key in ("inferences", "damaged", "retries", "accepted", "wrong", "lost")]
        lines.append([o["kind"], o["what"], o["board"], *counts, "yes" if o["recovered"] else "NO"])
    return f"{summary}\n\n{markdown(header, lines)}"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--inferences", type=int, default=INFERENCES, metavar="N", help="of each (default: %(default)s)"
    )
    add_again(parser)
    add_only(parser, "kinds of fault")


def run(options: argparse.Namespace) -> int:
    results = Rows(FILE, ("kind", "board", "inferences"), ((row.name, row.board, options.inferences) for row in ROWS))
    for row in ROWS:
        known = (row.name, row.board, options.inferences) in results and not options.again
        if known or options.only not in row.name:
            continue
        design = bnnhw.compile(MODEL, board=row.board, fps=FPS)
        samples = samples_of(design)
        outcome = campaign(
            partial(SimulatedBoard, design, settled=False),
            bytes.fromhex(design.plan.digest),
            samples,
            row,
            inferences=options.inferences,
            progress=tell,
        )
        print(f"\n{outcome}", flush=True)
        results.add(asdict(outcome))
    if results.complete(PAGE):
        put(PAGE, "faults", table(results.all))
    return 1 if any(o["wrong"] or o["lost"] or not o["recovered"] for o in results.all) else 0


def tell(outcome: Outcome) -> None:
    """Progress, on stderr if it is a terminal."""
    if not sys.stderr.isatty():
        return
    rate = outcome.inferences / max(outcome.seconds, 1e-9)
    text = f"{outcome.kind}: {outcome.inferences:,} inferences, {rate:,.0f} per second, {outcome.damaged:,} damaged"
    print(f"\r{text:<90}", end="", file=sys.stderr, flush=True)
