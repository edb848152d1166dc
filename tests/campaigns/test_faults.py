"""A short fault campaign, and the table that a long one becomes."""

from __future__ import annotations

import random
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest

from bnnhw.verify.link_faults import KINDS
from campaigns.faults import BOARD, ROWS, Outcome, Row, campaign, table
from tests.verify.boards import design, samples, start


def digest() -> bytes:
    return bytes.fromhex(design().plan.digest)


@pytest.mark.sim
@pytest.mark.parametrize("row", [row for row in ROWS if row.board == BOARD], ids=lambda row: row.name)
def test_nothing_wrong_and_nothing_lost(row: Row) -> None:
    often = Row(row.name, row.what, tuple(replace(kind, rate=max(kind.rate, 0.02)) for kind in row.kinds))
    random.seed(5)  # the driver's first sequence numbers
    outcome = campaign(partial(start, settled=False), digest(), samples(), often, inferences=120, session=20, seed=5)
    assert (outcome.accepted, outcome.wrong, outcome.lost, outcome.recovered) == (120, 0, 0, True)
    assert outcome.damaged > 0
    # A packet sent twice is answered twice; rubbish before one harms it only where it begins like a packet.
    assert outcome.retries > 0 or outcome.sessions > 6 or row.name in ("twice", "random bytes")
    assert outcome.cycles > 0


@pytest.mark.sim
def test_wrong_answers_are_counted() -> None:
    """The same campaign with answers that are not the right ones: what it counts can be other than 0."""
    other = replace(samples(), integers=samples().integers + np.eye(1, 10, dtype=np.int64))
    outcome = campaign(start, digest(), other, Row("none", "", ()), inferences=20, session=20)
    assert (outcome.accepted, outcome.wrong, outcome.recovered) == (20, 20, False)


def test_table() -> None:
    outcomes = [Outcome(row.name, row.what, row.board, inferences=1000, damaged=7, accepted=1000) for row in ROWS]
    text = table([asdict(outcome) for outcome in outcomes])
    assert f"{1000 * len(ROWS):,} inferences" in text
    assert all(
        f"| {kind.name} | {kind.what} | {BOARD} | 1,000 | 7 | 0 | 1,000 | 0 | 0 | NO |" in text for kind in KINDS
    )
