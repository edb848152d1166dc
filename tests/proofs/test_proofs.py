"""A fast part of the proofs; `make prove` does all of them."""

from dataclasses import replace

import pytest

from bnnhw import units
from bnnhw.arithmetic.formats import TERNARY, DataType
from bnnhw.gateware.arithmetic.add_streams import AddStreams
from bnnhw.gateware.streams.concat import Concat
from bnnhw.gateware.streams.stream_fifo import StreamFifo
from proofs import mapped, numbers
from proofs.case import StreamCase
from proofs.engine import solve
from proofs.harness import Spec
from proofs.table import COUNTS, MAPPED, STREAMS

pytestmark = pytest.mark.synth


def answered(question):
    outcome = solve(question.make(), mode=question.mode, depth=question.depth)
    assert outcome.status == "PASS", outcome.log


def fast(cases):
    return [pytest.param(case, id=f"{case.unit} {case.sizes}") for case in cases if case.fast]


@pytest.mark.parametrize("case", fast(STREAMS))
def test_stream_units(case):
    answered(case.bounded)


@pytest.mark.parametrize("case", fast(COUNTS))
def test_what_counts_and_multiplies(case):
    answered(case.unbounded)


@pytest.mark.parametrize("case", fast(MAPPED))
def test_mapped_netlists(case):
    """Tables that synthesis has mapped, and each of some tables with a bit flipped or two wires swapped."""
    for question in case.questions:
        outcome = question.solve()
        assert outcome.status == "PASS", outcome.log


def test_a_wrong_table_is_not_equal():
    tables = mapped.random_tables(1, 8, (6,), 3, 2)
    wrong = next(other for other, same in mapped.faulty(tables, 1, 8) if not same)
    assert mapped.compare(tables, [(wrong, True)], "ice40").status == "FAIL"
    assert mapped.compare(tables, [(tables, False)], "ice40").status == "FAIL"


def test_properties_hold_for_ever_and_can_fail():
    skid = next(case for case in STREAMS if case.unit == "StreamFifo as skid buffer")
    answered(skid.unbounded)
    answered(skid.faults)
    answered(next(case for case in COUNTS if case.fast).faults)


def test_every_unit_of_an_accelerator_is_proved():
    assert {unit for case in STREAMS for unit in case.covers} == set(units.UNITS)


def test_entries_have_names_of_their_own():
    names = [(case.unit, case.sizes) for case in (*STREAMS, *COUNTS, *MAPPED)]
    assert len({*names}) == len(names)


class Overrun(StreamFifo):
    """A FIFO that takes a beat where there is no room."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.i.ready.eq(1)
        return m


def test_a_wrong_unit_and_a_wrong_model_are_refuted():
    def same(name, k, seen):
        return [seen["i"][k].data], {"last": seen["i"][k].last}

    def other(name, k, seen):
        return [~seen["i"][k].data], {"last": seen["i"][k].last}

    for make, expected in ((Overrun, same), (StreamFifo, other)):
        spec = Spec({"i": 1}, {"o": 1}, expected, hang_cycles=3)
        case = StreamCase("FIFO", "", lambda make=make: make(1, 2, kind="registers"), spec, 8)
        assert solve(case.bounded.make(), mode="bmc", depth=8).status == "FAIL"


INT3, INT5 = DataType("int", 3), DataType("int", 5)


@pytest.mark.parametrize(
    ("case", "wrong"),
    [
        # The coefficients of two channels are exchanged.
        (numbers.add((INT3,), ([1, -2, 0, 3],), INT5), lambda: AddStreams([INT3], [[0, -2, 1, 3]], 2, INT5)),
        # The second input is taken for one of another format of as many bits.
        (numbers.concat((INT3, TERNARY), INT3), lambda: Concat([INT3, DataType("int", 2)], 1, [1, 1], INT3)),
    ],
    ids=["coefficients", "formats"],
)
def test_wrong_numbers_are_refuted(case, wrong):
    answered(case.bounded)
    refuted = replace(case, make=wrong)
    assert solve(refuted.bounded.make(), mode="bmc", depth=case.depth).status == "FAIL"


def test_a_solver_without_an_answer_is_stopped():
    case = next(case for case in STREAMS if units.SlidingWindow in case.covers)
    assert solve(case.bounded.make(), mode="bmc", depth=case.depth, limit=0.5).status == "ERROR"
