"""What a unit or a kind of layer lacks: everything that belongs to one is there, and under the same names."""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
import pytest

import bnnhw
from bnnhw import reference, units
from bnnhw.dataflow import Network, layers
from bnnhw.dataflow.layers import LAYERS, Layer, LayerPlan
from bnnhw.dataflow.pipeline import contents, pipeline
from bnnhw.dataflow.plan import LAYER_PLANS
from bnnhw.generate.circuits import CIRCUITS
from bnnhw.ir.nodes import Encode, Node, Reshape, Window
from bnnhw.ir.spec import HARDWARE
from bnnhw.passes import to_integers
from bnnhw.units import UNITS, Unit
from campaigns.random_maps import random_map_network
from campaigns.random_networks import random_folding
from proofs.table import STREAMS
from tests.gateware.test_cycle_models import CASES

# Operations of the graph that no layer begins: a window belongs to the matrix behind it, and a reshape moves nothing.
NO_LAYER = (Window, Reshape)
RULES = [
    path.read_text() for part in ("frontend", "passes") for path in (Path(bnnhw.__file__).parent / part).glob("*.py")
]


def defined(package, base):
    """The classes below `base` in all files of a package that build something, the abstract ones left out."""
    found = set()
    for module in iter_modules(package.__path__):
        members = vars(import_module(f"{package.__name__}.{module.name}")).values()
        found |= {m for m in members if isinstance(m, type) and issubclass(m, base) and not inspect.isabstract(m)}
    return found


def test_every_unit_is_listed() -> None:
    assert defined(units, Unit) == set(UNITS)
    assert set(CIRCUITS) == set(UNITS)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.__name__)
def test_a_unit_lacks_nothing(unit: type[Unit]) -> None:
    circuit = CIRCUITS[unit]
    assert circuit.__name__ == unit.__name__
    own = {field.name for field in fields(unit) if field.metadata.get("circuit", True)}
    numbers = set() if unit.contents is None else {field.name for field in fields(unit.contents)}
    parameters = set(inspect.signature(circuit.__init__).parameters) - {"self"}
    assert not own & numbers
    assert parameters == own | numbers, "the unit and its contents have the circuit's parameters"
    examples = [made for (made, _), _ in CASES.values() if type(made) is unit]
    examples += [units.FrameScatter(4, 2, 3, 2, "block")] if unit is units.FrameScatter else []
    assert examples, "its circuit is held against its cycle model in tests/gateware/test_cycle_models.py"
    for example in examples:
        assert hash(example) == hash(type(example)(**{f.name: getattr(example, f.name) for f in fields(example)}))
        assert example.latency >= 0
        assert all(amount >= 0 for amount in example.features().values())
    assert any(unit in case.covers for case in STREAMS), "it is proved in proofs/"


def test_every_kind_of_layer_is_listed() -> None:
    assert defined(layers, Layer) == set(LAYERS)
    assert {*LAYER_PLANS.values()} == {layer.plan_type for layer in LAYERS}
    assert len(LAYER_PLANS) == len(LAYERS), "two kinds of the same name"


def test_every_operation_of_the_hardware_begins_a_layer() -> None:
    begun = [node for layer in LAYERS for node in layer.nodes]
    assert len(begun) == len(set(begun))
    assert {*begun, *NO_LAYER} == set(HARDWARE)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.plan_type.kind)
def test_a_kind_of_layer_lacks_nothing(layer: type[Layer]) -> None:
    plan = layer.plan_type
    assert is_dataclass(plan) and issubclass(plan, LayerPlan)
    names = {field.name for field in fields(plan)}
    assert {*plan.choices} <= names, "what is chosen is a field of its folding"
    file = layer.__module__.rpartition(".")[2]
    assert file == plan.kind, f"dataflow/layers/{plan.kind}.py describes it"
    tests = Path(__file__).parent / "dataflow" / "layers"
    assert (tests / f"test_{plan.kind}.py").is_file(), f"tests/dataflow/layers/test_{plan.kind}.py tests it"
    for node in layer.nodes:
        assert any(f"{node.__name__}(" in text for text in RULES), f"an import rule or a pass makes a {node.__name__}"


def test_random_networks_use_every_operation_and_every_unit() -> None:
    """What the tests with random networks prove, they prove for all of the hardware."""
    operations: set[type[Node]] = set()
    used: set[type[Unit]] = set()
    kinds: set[type[Layer]] = set()
    for seed in range(40):
        graph = to_integers(random_map_network(np.random.default_rng(seed)))
        inside = False
        for node in graph.nodes:
            inside |= isinstance(node, Encode)
            operations |= {type(node)} if inside else set()
        network = Network.of(graph)
        plan = random_folding(np.random.default_rng(seed), network, most_cycles=1000)
        stages = pipeline(plan, network)
        used |= {type(stage.unit) for stage in stages}
        kinds |= {type(layer) for layer in network.layers}
        held = contents(plan, network, stages)
        assert {stage.name for stage in stages if stage.unit.contents is not None} == set(held)
        assert all(type(held[stage.name]) is stage.unit.contents for stage in stages if stage.name in held)
    assert operations >= set(HARDWARE)
    assert used == set(UNITS)
    assert kinds == set(LAYERS)


def test_hardware_layers_have_a_meaning() -> None:
    graph = to_integers(random_map_network(np.random.default_rng(4)))
    x = np.random.default_rng(1).normal(0, 2, (3, *graph.tensors["x"].shape)).astype(np.float32)
    for name, values in reference.run_all(graph, x, packed=False).items():
        assert values.shape == (3, *graph.tensors[name].shape), name
