"""Programs against the reference: what the lines mean is what the graph means, whatever layers it has."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.compiler import import_model
from bnnhw.dataflow import Network
from bnnhw.errors import PlanError
from bnnhw.inputs import inputs_for
from bnnhw.layer_table import ENTRIES, SHAPES, SLOT, Opcode, pack
from bnnhw.overlay.compiler import make_program
from bnnhw.overlay.executor import Executor, ProgramFault
from bnnhw.overlay.program import line_value, line_words
from bnnhw.passes import to_integers
from campaigns.random_maps import random_map_network
from tests.integer_graphs import Builder
from tests.overlay.networks import GRAPHS, SMALL, TIGHT, VECTORS, WIDE, right


def answers(program, values):
    executor = Executor(program.shape, program.lines.reshape(-1).tolist())
    return program.results(executor.run(program.frames(values)))


@pytest.mark.parametrize(
    ("name", "shape"),
    [*((name, shape) for name in GRAPHS for shape in (SMALL, WIDE)), *((name, TIGHT) for name in VECTORS)],
)
def test_every_kind_of_layer(name, shape):
    graph = GRAPHS[name]()
    values, integers, labels = right(graph, 12)
    found, classes = answers(make_program(Network.of(graph), shape), values)
    assert (found == integers).all()
    assert (classes == labels).all()
    assert len(np.unique(integers)) > 3, "a network that always says the same shows nothing"


@pytest.mark.parametrize("weight", [BIPOLAR, TERNARY, DataType("int", 5)], ids=str)
def test_the_narrowest_accumulators(weight):
    """At the ends of what sums can reach, with no bit more than the compiler asks for."""
    b = Builder(3, (50,), DataType("int", 8))
    hidden = b.dense(b.last, 16, weight)
    node = b.nodes[-1]
    weights = node.weight.astype(np.int64)
    low, high = ((weights * np.where(weights * sign > 0, 127, -128)).sum(axis=1) for sign in (-1, 1))
    hidden = b.threshold(hidden, DataType("uint", 2))
    b.nodes[-1] = replace(b.nodes[-1], thresholds=np.stack([low + 1, (low + high) // 2, high], axis=1))
    graph = b.graph(b.dense(hidden, 4))
    with pytest.raises(PlanError, match="sums of") as caught:
        make_program(Network.of(graph), replace(SMALL, width=12))
    shape = replace(SMALL, width=int(re.search(r"sums of (\d+) bits", str(caught.value))[1]))
    with pytest.raises(PlanError, match="sums of"):
        make_program(Network.of(graph), replace(shape, width=shape.width - 1))
    x = 1e6 * np.concatenate([node.weight, -node.weight]).astype(np.float32)
    right = reference.run(graph, x)
    values = reference.encode_inputs(graph, x)
    assert {values.min(), values.max()} == {-128, 127}
    found, _ = answers(make_program(Network.of(graph), shape), values)
    assert (found == right["integers"].reshape(len(x), -1)).all()


@pytest.mark.parametrize(
    "name", ["digits-binary", "digits-ternary", "mnist-binary", "mnist-ternary", "mnist-cnn", "cifar-cnv-small"]
)
def test_shipped_networks(name):
    model = import_model(name, None, None)
    x = inputs_for(model.graph, None, 12).values
    right = reference.run(model.graph, x)
    program = make_program(model.network, SHAPES["up5k"])
    found, classes = answers(program, reference.encode_inputs(model.graph, x))
    assert (found == right["integers"].reshape(len(x), -1)).all()
    assert (classes == right["prediction"]).all()


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[] if seed < 24 else [pytest.mark.slow]) for seed in range(400)]
)
def test_random_networks(seed):
    rng = np.random.default_rng(seed)
    graph = to_integers(random_map_network(rng))
    try:
        program = make_program(Network.of(graph), SHAPES["up5k" if seed % 2 else "ecp5-85f"])
    except PlanError as error:
        pytest.skip(str(error))
    x = rng.normal(0, 2, (6, *graph.tensors[graph.input].shape)).astype(np.float32)
    right = reference.run(graph, x)
    found, classes = answers(program, reference.encode_inputs(graph, x))
    assert (found == right["integers"].reshape(len(x), -1)).all()
    assert (classes == right["prediction"]).all()


# ---- what a program must not do ----------------------------------------------------------------------


def changed(opcode, **values):
    """A program whose first entry of a kind, or first slot, has other values."""
    graph = GRAPHS["padded"]()
    program = make_program(Network.of(graph), SMALL)
    lines = program.lines.copy()
    if opcode is None:
        (place, *_) = (fields["source"] for kind, fields in program.entries if kind is Opcode.SLOTS)
        layout = SLOT
    else:
        place = 1 + next(k for k, (kind, _) in enumerate(program.entries) if kind is opcode)
        layout = ENTRIES[opcode]
    line, start = line_value(SMALL, lines[place]), 0
    for name, bits in layout.items():
        if name in values:
            line = line & ~(((1 << bits) - 1) << start) | values[name] << start
        start += bits
    lines[place] = line_words(SMALL, [line])[0]
    return Executor(SMALL, lines.reshape(-1).tolist()), program.frames(right(graph, 1)[0])


@pytest.mark.parametrize(
    ("opcode", "values", "said"),
    [
        (Opcode.INPUT, {"base": 1}, "writes line 1: the program"),
        (Opcode.INPUT, {"rows": 1}, "longer than what the program takes"),
        (Opcode.READ, {"base": 2000}, "reads what nothing wrote"),
        (None, {"emit": 1}, "gives a word too early"),
        (None, {"count": 0, "double": 1, "run": 1}, "doubles a sum that is not there yet"),
        (None, {"word": 500}, "slot 0 takes word 500 of"),
        (None, {"first": 0}, "slot 0 goes on with a sum that nothing began"),
    ],
)
def test_faults_of_programs_are_found(opcode, values, said):
    executor, frames = changed(opcode, **values)
    with pytest.raises(ProgramFault, match=said):
        executor.run(frames)


def test_programs_of_other_engines_are_refused():
    program = make_program(Network.of(GRAPHS["bipolar"]()), SMALL)
    with pytest.raises(ProgramFault, match="header"):
        Executor(SHAPES["up5k"], program.lines.reshape(-1).tolist())


def test_a_table_without_an_end_is_found():
    program = make_program(Network.of(GRAPHS["bipolar"]()), SMALL)
    lines = program.lines[:2].copy()
    lines[1] = line_words(SMALL, [pack(ENTRIES[Opcode.WRITE], {"opcode": int(Opcode.WRITE)})])[0]
    lines[0] = line_words(SMALL, [line_value(SMALL, lines[0]) & ~(0xFFFF << 16) | 2 << 16])[0]
    with pytest.raises(ProgramFault, match="without an end"):
        Executor(SMALL, lines.reshape(-1).tolist()).run([[]])
