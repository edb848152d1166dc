"""Every operation of the hardware is everywhere it has to be: shape, meaning, widths, cycles, circuit."""

from __future__ import annotations

import numpy as np
import pytest

from bnnhw.dataflow.images import layer_image
from bnnhw.dataflow.layers import Layer
from bnnhw.dataflow.timing import layer_chain
from bnnhw.dtypes import BIPOLAR, DataType
from bnnhw.generate.accelerator import layer_units
from bnnhw.ir.graph import TensorType
from bnnhw.ir.nodes import Node
from bnnhw.ir.shapes import infer
from bnnhw.ir.spec import ALLOWED
from bnnhw.reference.kernels import evaluate
from tests.random_networks import layer_plan, random_layer

HARDWARE = [kind for kind in ALLOWED["integer"] if kind.__name__ in ("Dense", "Threshold")]


def node_of(layer: Layer, kind: type[Node]) -> Node:
    return next(node for node in (layer.dense, layer.threshold) if isinstance(node, kind))


@pytest.mark.parametrize("kind", HARDWARE)
def test_shape_and_meaning(kind: type[Node]) -> None:
    layer = random_layer(np.random.default_rng(1), "fc", 6, 4, BIPOLAR, BIPOLAR, DataType("uint", 2))
    node = node_of(layer, kind)
    size = 6 if kind.__name__ == "Dense" else 4
    made = infer(node, TensorType((size,), BIPOLAR))
    assert evaluate(node, np.ones((3, size), np.int32)).shape == (3, *made.shape)


@pytest.mark.parametrize("pe", [1, 3, 4])
@pytest.mark.parametrize("out", [None, BIPOLAR, DataType("uint", 2), DataType("uint", 4)], ids=str)
def test_every_unit_has_its_twin(pe: int, out: DataType | None) -> None:
    """As many units with control of their own in the gateware as in the model of its cycles."""
    layer = random_layer(np.random.default_rng(1), "fc", 6, 4, BIPOLAR, BIPOLAR, out)
    plan = layer_plan(layer, pe, 2)
    units = [unit for _, unit in layer_units(layer, plan, layer_image(layer, plan, final=False), "ice40")]
    clocked = [unit for unit in units if getattr(unit, "latency", 1) > 0]
    assert len(clocked) == len(layer_chain(layer, plan))
