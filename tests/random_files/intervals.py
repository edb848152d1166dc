"""What a float32 executor may make of a file, however it rounds its sums: a lower and an upper end of every tensor.

Nearly every operation on one tensor is monotone in float32, its rounding included, so the ends go through the same
kernels as the values. Only where floats are added (layers, means, sums of tensors) does the order of the additions matter. There the sum
is taken in float64, and its ends lie as far from it as float32 may round; or nowhere, if float32 holds every
part of the sum exactly.

A quantiser of more than 8 bits is told by exact arithmetic. For it there are loose ends as well, which begin at the
last quantiser and go apart by what each operation on the way may have been rounded; where they round to another
code, that one counts, too.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.random_files.doubles import attribute, evaluate, taps
from tests.random_files.executor import Executor

Array = NDArray[Any]
Ends = dict[str, tuple[Array, Array]]

LAYERS = ("MatMul", "Gemm", "Conv")
BITS = "XnorPopcountMatMul"
MEANS = ("AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum")
UNIT = 2.0**-24  # what rounding to float32 changes at most, relatively
FEW_BITS = 8  # up to which float32 tells a quantiser's codes
QUANTISERS = ("Quant", "IntQuant", "BipolarQuant", "MultiThreshold", "Sign")
ARITHMETIC = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}
# Of several operations, or of one that is rounded.
ROUNDED = ("BatchNormalization", "PRelu", "LeakyRelu", "HardSigmoid", "Tanh", "Softsign")
# By how much functions that are approximated may be off; the smallest values are rounded to zero.
APPROXIMATED = 16 * UNIT
TINY = 1e-30


class Intervals(Executor):
    """Runs a model on intervals."""

    def ends(self, inputs: Array) -> Ends:
        """The ends of every tensor for `inputs` (N, ...)."""
        found: Ends = {name: (value, value) for name, value in self.constants.items()}
        found[self.input] = (inputs, inputs)
        constant = set(self.constants)
        loose: Ends = {}
        for node in self.nodes:
            if set(node.input) <= constant:
                constant |= set(node.output)
            data = [k for k, name in enumerate(node.input) if name not in constant]
            parts = [found[name] for name in node.input]
            pairs = self._node(node, parts, data)
            if self._wide and data:
                loosely = self._loosely(node, [loose.get(name, found[name]) for name in node.input], data)
                if node.op_type in ("Quant", "IntQuant") and self._bits(node) > FEW_BITS:
                    both = [pairs[0], loosely[0]]
                    pairs = [(np.minimum(*(p[0] for p in both)), np.maximum(*(p[1] for p in both)))]
                if node.op_type not in QUANTISERS:
                    loose |= dict(zip(node.output, loosely, strict=False))
            found |= dict(zip(node.output, pairs, strict=False))
        return found

    @property
    def _wide(self) -> bool:
        return any(self._bits(node) > FEW_BITS for node in self.nodes if node.op_type in ("Quant", "IntQuant"))

    def _bits(self, node: onnx.NodeProto) -> int:
        bits = self.constants.get(node.input[3])
        return 0 if bits is None else int(bits.reshape(-1)[0])

    def _loosely(
        self, node: onnx.NodeProto, parts: list[tuple[Array, Array]], data: list[int]
    ) -> list[tuple[Array, Array]]:
        """What a node makes of loose ends, further apart by what it may have rounded."""
        if node.op_type in ("Quant", "IntQuant"):
            # It divides by its scale, and adds its zero point.
            low, high = parts[0]
            scale, zero = parts[1][0], parts[2][0]
            if zero.any() or (np.frexp(scale)[0] != 0.5).any():
                room = 4 * UNIT * (np.maximum(np.abs(low), np.abs(high)) + np.abs(zero * scale))
                parts = [_outward(low - room, high + room), *parts[1:]]
            return self._node(node, parts, data)
        pairs = self._node(node, parts, data)
        if node.op_type in ARITHMETIC and len(data) == 1:
            apply = ARITHMETIC[node.op_type]
            exact = True
            for side in (0, 1):
                ends = [np.asarray(part[side], np.float64) for part in parts]
                exact &= bool((apply(*ends) == np.float32(apply(*ends))).all())
            if exact:
                return pairs
        elif node.op_type not in ROUNDED:
            return pairs
        most = sum(np.abs(np.asarray(part[side], np.float64)).max() for part in parts[1:] for side in (0, 1))
        size = np.maximum(np.abs(pairs[0][0]), np.abs(pairs[0][1])) + (most if node.op_type != "Mul" else 0.0)
        return [_outward(low - 4 * UNIT * size, high + 4 * UNIT * size) for low, high in pairs]

    def _node(
        self, node: onnx.NodeProto, parts: list[tuple[Array, Array]], data: list[int]
    ) -> list[tuple[Array, Array]]:
        if not data:
            return [(value, value) for value in self.execute(node, [low for low, _ in parts])]
        if node.op_type == BITS:
            return [self._agreeing(node, parts)]
        if node.op_type in (*LAYERS, *MEANS):
            return [self._sum(node, parts)]
        if node.op_type in ("Add", "Sum") and len(data) > 1:
            return [_added(parts)]
        if node.op_type == "Softmax":
            return [_softmax(*parts[0], int(attribute(node, "axis", -1)))]
        if node.op_type == "Mul" and len(data) > 1:
            return [_multiplied(parts)]
        if node.op_type == "LogSoftmax":
            return [_log_softmax(*parts[0], int(attribute(node, "axis", -1)))]
        low = self.execute(node, [part[0] for part in parts])
        high = self.execute(node, [part[1] for part in parts])
        pairs = [(np.asarray(np.minimum(a, b)), np.asarray(np.maximum(a, b))) for a, b in zip(low, high, strict=True)]
        if node.op_type == "Abs":
            least = np.where((parts[0][0] <= 0) & (parts[0][1] >= 0), np.float32(0), pairs[0][0])
            pairs = [(least, pairs[0][1])]
        if node.op_type == "HardSwish":
            lowest = np.where((parts[0][0] <= -1.5) & (parts[0][1] >= -1.5), np.float32(-0.375), pairs[0][0])
            pairs = [(lowest, pairs[0][1])]
        if node.op_type in ("Sigmoid", "HardSigmoid", "HardSwish", "Erf"):
            pairs = [_outward(a - APPROXIMATED, b + APPROXIMATED) for a, b in pairs]
        return pairs

    def _agreeing(self, node: onnx.NodeProto, parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
        """How many bits agree: half of the sum of products of signs and of their number, all of them whole."""
        alone = onnx.NodeProto(op_type="MatMul")
        low, high = self._sum(alone, [(2 * parts[0][0] - 1, 2 * parts[0][1] - 1), (2 * parts[1][0] - 1,) * 2])
        count = len(parts[1][0])
        return (low + count) / 2, (high + count) / 2

    def _sum(self, node: onnx.NodeProto, parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
        """A layer's sums, or means."""
        low, high = (np.asarray(end, np.float64) for end in parts[0])
        rest = [np.asarray(end[0], np.float64) for end in parts[1:]]
        middle = (low + high) / 2
        alpha, beta = (float(attribute(node, name, 1.0)) for name in ("alpha", "beta"))
        positive = rest if node.op_type in MEANS else [np.abs(array) for array in rest]
        exact = evaluate(node, [middle, *rest], alpha, beta)
        spread = evaluate(node, [(high - low) / 2, *positive[:1]], abs(alpha))
        size = evaluate(node, [np.maximum(np.abs(low), np.abs(high)), *positive], abs(alpha), abs(beta))
        if (low == high).all() and self._is_exact(node, middle, rest, size):
            return np.float32(exact), np.float32(exact)
        terms = prod(rest[0].shape) if node.op_type in LAYERS else prod(low.shape[1:])
        error = spread + size * UNIT * (terms + 4)
        return _outward(exact - error, exact + error)

    def _is_exact(self, node: onnx.NodeProto, values: Array, rest: list[Array], size: Array) -> bool:
        """Whether float32 holds every product and every part of the sums, whatever their order."""
        unit = _unit(values)
        for array in rest[:1] if node.op_type in LAYERS else []:
            unit *= _unit(array)
        if node.op_type == "Gemm":
            unit *= _unit(np.array(attribute(node, "alpha", 1.0)))
        if len(rest) > 1:
            unit = min(unit, _unit(rest[1]) * _unit(np.array(attribute(node, "beta", 1.0))))
        if node.op_type in MEANS and node.op_type != "ReduceSum":
            # The sum is the mean times a number that must be a power of two.
            count = taps(node, values.shape)
            if count & (count - 1):
                return False
            unit /= count
        return bool((size < unit * 2.0**24).all())


def _unit(values: Array) -> float:
    """The largest power of two of which all `values` are whole multiples."""
    values = np.abs(values[values != 0])
    if not values.size:
        return 1.0
    mantissa, exponent = np.frexp(values)
    whole = (mantissa * 2.0**53).astype(np.int64)
    lowest = whole & -whole
    return float((lowest * 2.0 ** (exponent - 53.0)).min())


def _added(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    lows, highs = ([np.asarray(part[k], np.float64) for part in parts] for k in (0, 1))
    low, high = sum(lows), sum(highs)
    size = sum(np.maximum(np.abs(a), np.abs(b)) for a, b in zip(lows, highs, strict=True))
    unit = min(_unit(np.concatenate([array.reshape(-1) for array in (*lows, *highs)])), np.inf)
    if (np.asarray(size) < unit * 2.0**24).all():
        return np.float32(low), np.float32(high)
    return _outward(low - size * UNIT * 4, high + size * UNIT * 4)


def _multiplied(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """The product of two tensors: its ends are products of ends, whichever sign these have."""
    corners = np.stack([np.float64(a) * b for a in parts[0] for b in parts[1]])
    return _outward(corners.min(axis=0), corners.max(axis=0))


def _softmax(low: Array, high: Array, axis: int) -> tuple[Array, Array]:
    least, most = _shares(low, high, axis)
    return _outward(np.exp(least) * (1 - APPROXIMATED) - TINY, np.exp(most) * (1 + APPROXIMATED) + TINY)


def _log_softmax(low: Array, high: Array, axis: int) -> tuple[Array, Array]:
    """Executors find it by a difference."""
    least, most = _shares(low, high, axis)
    low, high = np.float64(low), np.float64(high)
    top = high.max(axis, keepdims=True)
    error = APPROXIMATED * (1 + np.abs(low - top) + np.abs(high - top))
    return _outward(least - error, most + error)


def _shares(low: Array, high: Array, axis: int) -> tuple[Array, Array]:
    """Ends of the logarithm of a softmax: each element is largest where it is at its high end and all others at their
    low ones."""
    low, high = np.float64(low), np.float64(high)
    return -np.logaddexp(0, _of_others(high, axis) - low), -np.logaddexp(0, _of_others(low, axis) - high)


def _of_others(values: Array, axis: int) -> Array:
    """The logarithm of the sum of exponentials of all others but each one."""
    sums = [np.logaddexp.reduce(np.delete(values, k, axis), axis) for k in range(values.shape[axis])]
    return np.stack(sums, axis)


def _outward(low: Array, high: Array) -> tuple[Array, Array]:
    """The nearest float32 values that do not lie inside."""
    return np.float32(np.nextafter(np.float32(low), -np.inf)), np.float32(np.nextafter(np.float32(high), np.inf))
