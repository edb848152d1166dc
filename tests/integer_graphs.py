"""Graphs of the integer stage, made node by node."""

from __future__ import annotations

import numpy as np

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType, Float32
from bnnhw.ir.geometry import Geometry
from bnnhw.ir.graph import Graph, TensorType
from bnnhw.ir.nodes import ArgMax, BipolarQuant, Dense, Dequant, Encode, GroupedDense, Quant, Threshold, Window
from bnnhw.ir.shapes import infer
from bnnhw.ir.spec import verify

UINT2 = DataType("uint", 2)


class Builder:
    """An integer-stage graph, node by node; tensors are called by the nodes that make them."""

    def __init__(self, seed, shape, dtype):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.tensors = [], {"x": TensorType(shape)}
        levels = 2 if dtype == BIPOLAR else dtype.max - dtype.min + 1
        offset, step = dtype.min, 2 if dtype == BIPOLAR else 1
        quantised = self.add(BipolarQuant, "x", scale=np.float32(1)) if dtype == BIPOLAR else self._quant(dtype)
        self.last = self.add(
            Encode, quantised, dtype=dtype, scale=np.array(1.0), offset=offset, step=step, levels=levels
        )

    def _quant(self, dtype):
        signed, narrow = dtype.kind in ("int", "ternary"), dtype.kind == "ternary"
        numbers = {"scale": np.float32(1), "zero_point": np.float32(0), "bits": dtype.bits, "signed": signed}
        return self.add(Quant, "x", **numbers, narrow=narrow, rounding="ROUND")

    def add(self, kind, *inputs, **values):
        name = f"{kind.__name__.lower()}{len(self.nodes)}"
        node = kind(name=name, inputs=inputs, output=name, **values)
        self.nodes.append(node)
        self.tensors[name] = infer(node, *(self.tensors[i] for i in inputs))
        return name

    def shape(self, name):
        return self.tensors[name].shape

    def dense(self, name, mh, dtype=BIPOLAR):
        return self.add(Dense, name, **self._weights(mh, self.shape(name)[-1], dtype))

    def _weights(self, mh, mw, dtype):
        codes = self.rng.integers(0, 1 << dtype.bits, (mh, mw))
        weight = dtype.decode(np.where(codes == 1, 0, codes) if dtype == TERNARY else codes).astype(np.int16)
        return {"weight": weight, "weight_dtype": dtype, "flip": np.zeros(mh, np.bool_)}

    def conv(self, name, mh, kernel=(2, 2)):
        return self.dense(self.add(Window, name, geometry=Geometry(kernel), fill=0), mh)

    def grouped(self, name, mh, groups, kernel=(2, 2), dtype=BIPOLAR):
        name = self.add(Window, name, geometry=Geometry(kernel), fill=0, groups=groups)
        weights = self._weights(mh, self.shape(name)[-1] // groups, dtype)
        return self.add(GroupedDense, name, **weights, groups=groups)

    def threshold(self, name, dtype=UINT2, negate=False):
        """Thresholds within what the tensor can be, which differ from channel to channel; `negate` for every other
        channel of the negated tensor."""
        format_ = self.tensors[name].format
        assert not isinstance(format_, Float32)
        count = 1 if dtype == BIPOLAR else dtype.max - dtype.min
        middle, width = (format_.min + format_.max) / 2, max(2, (format_.max - format_.min) / 6)
        cuts = np.sort(np.rint(self.rng.normal(middle, width, (self.shape(name)[-1], count))).astype(np.int64), axis=1)
        offset, step = dtype.min, 2 if dtype == BIPOLAR else 1
        flags = np.arange(len(cuts)) % 2 == 1 if negate else np.zeros((), np.bool_)
        return self.add(Threshold, name, thresholds=cuts, offset=offset, step=step, dtype=dtype, negate=flags)

    def graph(self, name):
        """The graph that ends with the integers `name`, one for each class."""
        classes = self.shape(name)[-1]
        one, zero = np.ones(classes, np.int64), np.zeros(classes, np.int64)
        outputs = self.add(Dequant, name, scale=np.array(1.0))
        label = self.add(ArgMax, name, scale=one, bias=zero)
        roles = {"outputs": outputs, "integers": name, "prediction": label}
        return verify(Graph("wide", "x", tuple(self.nodes), self.tensors, roles), "integer")
