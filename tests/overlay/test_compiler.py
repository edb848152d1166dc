"""What the compiler refuses, with its numbers, and how it uses the memories."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.dataflow import Network
from bnnhw.errors import PlanError
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.nodes import Lookup, MaxPool, Reshape, Slice, Sum
from bnnhw.layer_table import Opcode
from bnnhw.overlay.compiler import make_program
from bnnhw.overlay.memory import Need, place
from tests.integer_graphs import Builder
from tests.overlay.networks import GRAPHS, SMALL, TIGHT, VECTORS, right


def vector(x, mh, dtype=BIPOLAR, mw=40):
    b = Builder(1, (mw,), x)
    return b, b.threshold(b.dense(b.last, mh, dtype), BIPOLAR)


def refused(graph, shape=SMALL):
    with pytest.raises(PlanError) as caught:
        make_program(Network.of(graph), shape)
    return str(caught.value)


def test_too_little_memory_says_how_much():
    b, name = vector(BIPOLAR, 600, mw=600)
    said = refused(b.graph(b.dense(name, 4)))
    assert re.fullmatch(
        r"the engine's memory has 131,072 bits, and weights and layer table take 3\d\d,\d\d\d: take a board with more "
        "memory",
        said,
    )


def test_too_little_memory_for_maps_names_the_layer():
    b = Builder(1, (64, 64, 16), TERNARY)
    name = b.threshold(b.conv(b.last, 16), TERNARY)
    name = b.add(MaxPool, name, geometry=Geometry((8, 8), (8, 8)), minimum=np.zeros((), np.bool_))
    said = refused(b.graph(b.dense(b.add(Reshape, name, shape=(7 * 7 * 16,)), 4)))
    assert "bits are needed" not in said
    assert re.search(r"has 131,072 bits, and \d{3},\d{3} are needed: .* at layer dense\d: take a board", said)


def test_too_many_words_of_weights():
    b = Builder(1, (4, 4, 16 * 15), BIPOLAR)
    name = b.threshold(b.conv(b.last, 16, (3, 3)), BIPOLAR)
    assert refused(b.graph(b.dense(b.add(Reshape, name, shape=(64,)), 4))) == (
        "layer dense3: a pass takes 136 words of weights, and the engine has 128: use fewer bits for its input or its "
        "output, or an engine with more"
    )


def test_too_many_slots():
    b = Builder(1, (4, 5, 40), TERNARY)
    name = b.threshold(b.conv(b.last, 16), BIPOLAR)
    graph = b.graph(b.dense(b.add(Reshape, name, shape=(3 * 4 * 16,)), 4))
    assert "layer dense3: a pass takes 25 slots, and the engine has 8" in refused(graph, replace(SMALL, slots=8))


@pytest.mark.parametrize(("name", "shape"), [("long", SMALL), ("deep", SMALL), *((name, TIGHT) for name in VECTORS)])
def test_passes_that_are_split(name, shape):
    """Where there is one group of pixels, what is too much for a pass goes into several."""
    program = make_program(Network.of(GRAPHS[name]()), shape)
    of_kind = [[fields["count"] for kind, fields in program.entries if kind is k] for k in (Opcode.SLOTS, Opcode.PASS)]
    assert max(of_kind[0]) <= shape.slots
    assert max(of_kind[1]) <= shape.weights
    assert len(of_kind[0]) > 2


def test_sums_too_wide():
    b, name = vector(DataType("int", 8), 20, DataType("int", 8), mw=80)
    assert refused(b.graph(b.dense(name, 4))).startswith(
        "layer dense2: sums of 23 bits, and the engine's accumulators have 22"
    )


def test_integers_too_wide():
    b = Builder(1, (400,), DataType("int", 8))
    said = refused(b.graph(b.dense(b.last, 4, DataType("int", 8))), replace(SMALL, weights=512, slots=512))
    assert "integers of 23 bits, and the engine's accumulators hold 21 of them" in said


def test_scores_too_wide():
    graph = GRAPHS["scored"]()
    nodes = [replace(n, scale=n.scale << 20) if n.op == "ArgMax" else n for n in graph.nodes]
    assert "classes are ranked by scores of" in refused(graph.with_nodes(nodes))


def test_maxima_of_many_bits():
    b = Builder(1, (4, 4, 3), DataType("int", 8))
    name = b.add(MaxPool, b.last, geometry=Geometry((2, 2), (2, 2)), minimum=np.zeros((), np.bool_))
    assert "the largest of int8 values: an engine compares up to 4 bits" in refused(
        b.graph(b.dense(b.add(Reshape, name, shape=(12,)), 4))
    )


def test_padding_of_maxima_and_minima():
    b = Builder(1, (4, 4, 3), TERNARY)
    geometry = Geometry((2, 2), (2, 2), pads=(1, 1, 1, 1))
    name = b.add(MaxPool, b.last, geometry=geometry, minimum=np.array([True, False, True]))
    assert "an engine has one value for it" in refused(b.graph(b.dense(b.add(Reshape, name, shape=(27,)), 4)))


def test_kinds_that_an_engine_does_not_run():
    b = Builder(1, (40,), DataType("uint", 1))
    tables = b.rng.integers(0, 2, (20, 8)).astype(np.bool_)
    name = b.add(Lookup, b.last, wiring=b.rng.integers(0, 40, (20, 3)), tables=tables)
    assert "cannot run a lookup layer" in refused(b.graph(b.dense(name, 4)))


def test_parts_that_an_engine_does_not_take():
    b = Builder(1, (1, 5, 3), BIPOLAR)
    name = b.add(Slice, b.last, kept=np.broadcast_to((np.arange(5) // 2 != 1)[:, None], (1, 5, 3)))
    said = refused(b.graph(b.dense(b.add(Reshape, name, shape=(9,)), 4)))
    assert "rows or columns 0, 1, 4 of a map: an engine takes those that are the same steps apart" in said
    b = Builder(1, (2, 2, 3), BIPOLAR)
    name = b.add(Slice, b.add(Reshape, b.last, shape=(12,)), kept=np.arange(12) > 3)
    assert "a part of a flattened map" in refused(b.graph(b.dense(name, 4)))


def test_the_input_joined_with_wider_maps():
    b = Builder(1, (3, 3, 4), BIPOLAR)
    wide = b.dense(b.last, 4)
    name = b.add(Sum, b.last, wide, coefficients=np.ones((2, 1), np.int64))
    said = refused(b.graph(b.dense(b.add(Reshape, name, shape=(36,)), 4)))
    assert "cannot yet join the network's input, of 1 planes" in said


def test_large_maps_and_windows():
    b = Builder(1, (1, 300, 1), BIPOLAR)
    assert "an engine goes to 256" in refused(b.graph(b.dense(b.add(Reshape, b.last, shape=(300,)), 4)))
    b = Builder(1, (1, 100, 16), BIPOLAR)
    assert "windows of 100 rows or columns; an engine goes to 64" in refused(
        b.graph(b.dense(b.add(Reshape, b.last, shape=(1600,)), 4)), replace(SMALL, weights=512)
    )


# ---- memory ----------------------------------------------------------------------------------------


def test_maps_share_lines_only_when_they_are_not_needed_together():
    rng = np.random.default_rng(0)
    for _ in range(50):
        needs = []
        for k in range(12):
            first = int(rng.integers(0, 9))
            needs.append(Need(f"layer {k}", int(rng.integers(1, 40)), first, first + int(rng.integers(0, 4))))
        end = place(needs, SMALL, 7)
        assert end == max(need.base + need.lines for need in needs)
        for a in needs:
            assert a.base >= 7
            for b in needs:
                apart = a.base + a.lines <= b.base or b.base + b.lines <= a.base
                assert a is b or apart or not (a.first <= b.last and b.first <= a.last)
        together = [sum(need.lines for need in needs if need.first <= step <= need.last) for step in range(13)]
        assert end - 7 < 1.6 * max(together)


def test_a_dense_layer_takes_few_slots():
    """A slot stands for all words of a plane."""
    program = make_program(Network.of(GRAPHS["bipolar"]()), SMALL)
    counts = [fields["count"] for kind, fields in program.entries if kind is Opcode.SLOTS]
    assert counts[0] <= 6


def test_frames_must_have_values_of_the_format():
    graph = GRAPHS["bipolar"]()
    program = make_program(Network.of(graph), SMALL)
    values = right(graph, 2)[0]
    assert len(program.frames(values)[0]) == 3
    with pytest.raises(ValueError, match="values outside bipolar"):
        program.frames(values * 2)
