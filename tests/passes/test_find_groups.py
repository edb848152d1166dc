"""Groups that a file has written out with zeros."""

from pathlib import Path

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY
from bnnhw.frontend import load_qonnx
from bnnhw.ir.nodes import Conv
from bnnhw.passes import find_groups
from tests.frontend.compare import assert_as_executed
from tests.onnx_models import inputs_for, quantised_input


def found(path: Path) -> Conv:
    (conv,) = (node for node in find_groups.run(load_qonnx(path)).nodes if isinstance(node, Conv))
    return conv


@pytest.mark.parametrize(("groups", "outputs"), [(6, 6), (6, 12), (3, 6), (2, 4), (1, 4)])
def test_written_out(groups: int, outputs: int, tmp_path: Path) -> None:
    """The same layer as with the groups in the file."""
    own = np.random.default_rng(1).choice([-1, 1], (outputs, 6 // groups, 3, 2)).astype(np.float32)
    whole = np.zeros((outputs, 6, 3, 2), np.float32)
    for row in range(outputs):
        first = row // (outputs // groups) * (6 // groups)
        whole[row, first : first + 6 // groups] = own[row]
    convs = []
    for name, weight, group in (("groups", own, groups), ("zeros", whole, 1)):
        net, x = quantised_input(shape=(1, 6, 5, 4))
        net.node("Conv", x, net.constant(weight), group=group, pads=[1, 1, 0, 0])
        convs.append(found(net.save(tmp_path / f"{name}.onnx")))
    for conv in convs:
        assert conv.groups == groups
        assert conv.weight_dtype == BIPOLAR
        np.testing.assert_array_equal(conv.weight, own.transpose(0, 2, 3, 1))


@pytest.mark.parametrize(("more", "groups"), [((0, 1), 2), ((3, 2), 2), ((0, 3), 1), ((2, 1), 1)])
def test_one_weight_more(more: tuple[int, int], groups: int, tmp_path: Path) -> None:
    weight = np.eye(4, dtype=np.float32)
    weight[more] = -1
    net, x = quantised_input(shape=(1, 4, 3, 3))
    net.node("Conv", x, net.constant(weight.reshape(4, 4, 1, 1)))
    conv = found(net.save(tmp_path))
    assert conv.groups == groups and conv.weight_dtype == TERNARY


def test_lowered_by_qonnx(tmp_path: Path) -> None:
    """A depthwise convolution as Im2Col and MatMul."""
    net, x = quantised_input(shape=(1, 6, 5, 4))
    weight = net.constant(net.random.choice([-1.0, 1.0], (6, 1, 3, 3)).astype(np.float32))
    given = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1], "dilations": [1, 1], "group": 6}
    net.node("Conv", x, weight, **given)
    path, lowered = net.save(tmp_path), tmp_path / "lowered.onnx"
    wrapper = ModelWrapper(str(path)).transform(InferShapes()).transform(LowerConvsToMatMul())
    wrapper.save(str(lowered))
    assert "Im2Col" in {node.op_type for node in wrapper.graph.node}
    first, second = found(path), found(lowered)
    assert first.groups == second.groups == 6 and first.geometry == second.geometry
    np.testing.assert_array_equal(first.weight, second.weight)
    assert_as_executed(lowered, inputs_for(net))
