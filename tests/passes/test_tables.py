"""Tables of integers: simplification keeps what they say, and finds what there is to be found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.arithmetic.formats import BIT, DataType
from bnnhw.dataflow import Network
from bnnhw.frontend import load
from bnnhw.ir.nodes import Encode, Gather, Lookup
from bnnhw.passes import compose_wiring, drop_unread, simplify_tables, to_integers
from tests.integer_graphs import Builder
from tests.lookup_networks import random_network, samples, written

pytestmark = pytest.mark.unit

AND, OR, XOR = (np.array(table, np.bool_) for table in ((0, 0, 0, 1), (0, 1, 1, 1), (0, 1, 1, 0)))


def lookup(make, name, wiring, *tables):
    return make.add(Lookup, name, wiring=np.array(wiring), tables=np.array(tables, np.bool_))


def inputs_of(node):
    """The bits that each table depends on."""
    return [
        {wire for j, wire in enumerate(wires) if (table != table[np.arange(len(table)) ^ (1 << j)]).any()}
        for wires, table in zip(node.wiring.tolist(), node.tables, strict=True)
    ]


@pytest.mark.parametrize("seed", range(12))
def test_meaning_is_kept(tmp_path, seed):
    """Some tables are constant, some are equal, and most thermometer codes have addresses that cannot occur."""
    rng = np.random.default_rng(seed)
    k = 1 + seed % 6
    network = random_network(seed, features=4, levels=1 + seed % 5, layers=((24, k), (18, 4), (9, 3)))
    for layer in network.layers:
        layer.tables[::7] = rng.integers(0, 2)
        layer.wiring[1::5], layer.tables[1::5] = layer.wiring[3], layer.tables[3]
        layer.wiring[2::5], layer.tables[2::5] = layer.wiring[4], 1 - layer.tables[4]
    graph = to_integers(load(written(tmp_path / "n.onnx", network)))
    x = samples(network, 300, seed)
    for packed in (False, True):
        np.testing.assert_array_equal(reference.run(graph, x, packed=packed)["outputs"], network.scores(x))
    first, *_ = (node for node in graph.nodes if isinstance(node, Lookup))
    assert len(first.tables) < 24


def test_inputs_that_make_no_difference():
    make = Builder(1, (6,), BIT)
    last = lookup(make, make.last, [[0, 1], [2, 3], [4, 4], [5, 1]], [0, 1, 0, 1], [0, 0, 0, 0], XOR, AND)
    graph = simplify_tables.run(make.graph(make.dense(last, 3)))
    node = graph.nodes[2]
    assert inputs_of(node) == [{0}, set(), set(), {5, 1}]
    assert set(node.wiring[0]) == {0} and set(node.wiring[1]) <= {0, 1, 5}
    made = drop_unread.run(graph)
    encode = next(node for node in made.nodes if isinstance(node, Encode))
    assert made.tensors[encode.output].shape == (3,)
    assert isinstance(made.producer(encode.inputs[0]), Gather)


def test_equal_tables_and_complements():
    make = Builder(1, (4,), BIT)
    first = lookup(make, make.last, [[0, 1], [1, 0], [0, 1], [2, 3], [0, 0]], OR, OR, ~OR, AND, [1, 1, 1, 1])
    second = lookup(make, first, [[0, 1], [0, 2], [1, 3], [4, 3]], XOR, XOR, AND, AND)
    graph = drop_unread.run(simplify_tables.run(make.graph(make.dense(second, 3))))
    one, other = (node for node in graph.nodes if isinstance(node, Lookup))
    assert len(one.tables) == 2  # OR and AND are left
    assert inputs_of(other) == [set(), set(), {0, 1}, {1}]
    assert (other.tables[0] == 0).all() and (other.tables[1] == 1).all()


def test_addresses_that_thermometer_codes_leave_out(tmp_path):
    """x >= 2 with x >= 1 is x >= 2, whatever the table says of the address that cannot be."""
    network = random_network(3, features=2, levels=2, layers=((3, 2),), classes=3)
    network = replace(network, encoder=replace(network.encoder, used=np.arange(4)))
    network.layers[0].wiring[:] = [[0, 1], [1, 0], [1, 2]]
    network.layers[0].tables[:] = [[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]]
    graph = simplify_tables.run(to_integers(load(written(tmp_path / "n.onnx", network))))
    (node,) = (node for node in graph.nodes if isinstance(node, Lookup))
    assert [len(inputs) for inputs in inputs_of(node)] == [1, 1, 2]
    x = samples(network, 100)
    np.testing.assert_array_equal(reference.run(graph, x)["outputs"], network.scores(x))


def test_wiring_goes_through_choices():
    make = Builder(1, (8,), BIT)
    chosen = make.add(Gather, make.add(Gather, make.last, places=np.array((7, 1, 5, 5))), places=np.array((2, 0, 1)))
    graph = make.graph(make.dense(lookup(make, chosen, [[0, 1], [2, 2]], AND, OR), 3))
    made = compose_wiring.run(graph)
    (node,) = (node for node in made.nodes if isinstance(node, Lookup))
    assert node.wiring.tolist() == [[5, 7], [1, 1]]
    assert not any(isinstance(node, Gather) for node in made.nodes)


@pytest.mark.parametrize("shape", [(5,), (1, 5, 1)], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_the_chip_may_compare(tmp_path, seed, shape):
    """It takes integers then, and what it makes of them is what the host made."""
    rng = np.random.default_rng(seed)
    network = random_network(seed, features=5, levels=3, layers=((20, 4), (12, 3)))
    cuts = np.sort(rng.integers(-2, 34, network.encoder.thresholds.shape) / 2, axis=1).astype(np.float32)
    network = replace(network, shape=shape, encoder=replace(network.encoder, thresholds=cuts))
    uint4 = DataType("uint", 4)
    source = load(written(tmp_path / "n.onnx", network), input_format=uint4)
    graph = to_integers(source, encoder="chip")
    x = rng.integers(0, 16, (300, *shape))
    np.testing.assert_array_equal(reference.run(graph, x)["outputs"], network.scores(x.astype(np.float32)))
    made = Network.of(graph)
    (layer,) = made.layers
    assert (made.i_dtype, layer.kind) == (uint4, "lookup")
    planes = np.moveaxis(uint4.planes(reference.encode_inputs(graph, x).reshape(len(x), -1)), 0, -1)
    found = layer.netlist.evaluate(planes.reshape(len(x), -1))
    np.testing.assert_array_equal(found, reference.run(graph, x)["integers"])
    assert Network.of(to_integers(source)).i_dtype == BIT


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("alike", [False, True], ids=["own cuts", "same cuts"])
def test_the_chip_compares_what_tables_read(tmp_path, levels, alike):
    """Features that no table reads do not come; a thermometer code leaves addresses out on the chip as well."""
    rng = np.random.default_rng(levels)
    network = random_network(levels, features=40, levels=levels, layers=((8, 4),), classes=2)
    cuts = np.sort(rng.choice(14, (1 if alike else 40, levels)) + 1.5, axis=1).astype(np.float32)
    cuts = np.repeat(cuts, 40 // len(cuts), axis=0)
    wiring = rng.integers(0, 12 * levels, (8, 4))
    (layer,) = network.layers
    every = replace(network.encoder, thresholds=cuts, used=np.arange(40 * levels))
    network = replace(network, encoder=every, layers=(replace(layer, wiring=wiring),))
    source = load(written(tmp_path / "n.onnx", network), input_format=DataType("uint", 4))
    graph = to_integers(source, encoder="chip")
    x = rng.integers(0, 16, (500, 40))
    np.testing.assert_array_equal(reference.run(graph, x)["outputs"], network.scores(x.astype(np.float32)))
    chip, host = Network.of(graph), Network.of(to_integers(source))
    assert [layer.kind for layer in chip.layers] == ["lookup"] == [layer.kind for layer in host.layers]
    assert chip.i_shape[0] <= 12 and chip.i_dtype == DataType("uint", 4)
    planes = np.moveaxis(chip.i_dtype.planes(reference.encode_inputs(graph, x)), 0, -1).reshape(len(x), -1)
    found = chip.layers[0].netlist.evaluate(planes)
    np.testing.assert_array_equal(found, reference.run(graph, x)["integers"])
    tables = [node.tables for made in (graph, to_integers(source)) for node in made.nodes if isinstance(node, Lookup)]
    np.testing.assert_array_equal(*tables)
