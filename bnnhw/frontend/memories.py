"""What the memories of BNN-PYNQ's networks hold, and which of its networks that is.

A BNN-PYNQ parameter folder is loaded into memories of hardware that is made for one network, so that it does not say
what the network looks like: that is known here, and the numbers and sizes of the files tell which network it is.

Every processing element has files of its own, of 64-bit little-endian words. Element p of P has the neurons p, p + P,
p + 2P, .. one after the other. The weights of a neuron lie in words of `simd` lanes, the first lane in the low bits; a
one-bit weight is -1 or +1, a two-bit one is in two's complement. A threshold is passed by a *larger* sum. Where
weights, inputs and outputs have one bit, the sum counts the equal bits; elsewhere it is the product. In the first layer
of CNV, whose inputs have 7 fraction bits, thresholds have 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.errors import ModelError
from bnnhw.frontend import parameter_files

# Rows and columns of each layer's memory. The last layer's rows are padded to 64, LFC's first columns from 784 to 832.
CNV = ((64, 27), (64, 576), (128, 576), (128, 1152), (256, 1152), (256, 2304), (512, 256), (512, 512), (64, 512))
LFC = ((1024, 832), (1024, 1024), (1024, 1024), (64, 1024))
CONVOLUTIONS = 6  # of CNV's layers, the first ones
PIXELS = 28 * 28  # of LFC
# Fraction bits of CNV's inputs and of its first thresholds.
INPUT_FRACTION, FIRST_FRACTION = 7, 8
MAX_PROBLEMS = 8


@dataclass(frozen=True)
class Network:
    """One of the networks that BNN-PYNQ has hardware for.

    Parameters
    ----------
    name
        As BNN-PYNQ calls it.
    matrices
        Rows and columns of each layer, with their padding.
    weight_bits, activation_bits
        1 is bipolar, 2 is ternary.
    pe, simd
        Processing elements of each layer, and weights in each word of theirs.
    """

    name: str
    matrices: tuple[tuple[int, int], ...]
    weight_bits: int
    activation_bits: int
    pe: tuple[int, ...]
    simd: tuple[int, ...]

    @property
    def convolutional(self) -> bool:
        return self.matrices is CNV

    def convolution(self, layer: int) -> bool:
        """Whether a layer is one, 3x3 without padding."""
        return self.convolutional and layer < CONVOLUTIONS

    @property
    def last(self) -> int:
        return len(self.matrices) - 1

    def counts_equal_bits(self, layer: int) -> bool:
        """Whether a layer's sum is the number of equal bits."""
        return self.weight_bits == self.activation_bits == 1 and not (self.convolutional and layer == 0)

    def thresholds(self, layer: int) -> int:
        """Of each neuron. Only CNV's last layer has none: files of them are not looked at by its hardware either."""
        if layer < self.last:
            return self.activation_bits
        return 0 if self.convolutional else 1

    def sizes(self) -> dict[str, int]:
        """The bytes of every file."""
        found = {}
        for layer, ((mh, mw), pe, simd) in enumerate(zip(self.matrices, self.pe, self.simd, strict=True)):
            for element in range(pe):
                found[f"{layer}-{element}-weights.bin"] = 8 * (mh // pe) * (mw // simd)
                if count := self.thresholds(layer):
                    found[f"{layer}-{element}-thres.bin"] = 8 * (mh // pe) * count
        return found


_LFC_PE, _LFC_SIMD = (32, 64, 32, 16), (64, 32, 64, 8)
_CNV_PE, _CNV_SIMD = (16, 32, 16, 16, 4, 1, 1, 1, 4), (3, 32, 32, 32, 32, 32, 4, 8, 1)
NETWORKS = (
    Network("lfcW1A1", LFC, 1, 1, _LFC_PE, _LFC_SIMD),
    Network("lfcW1A2", LFC, 1, 2, _LFC_PE, _LFC_SIMD),
    Network("cnvW1A1", CNV, 1, 1, _CNV_PE, _CNV_SIMD),
    Network("cnvW1A2", CNV, 1, 2, _CNV_PE, _CNV_SIMD),
    Network("cnvW2A2", CNV, 2, 2, (8, 16, 8, 8, 4, 1, 1, 2, 4), (3, 16, 16, 16, 8, 8, 2, 2, 1)),
)


@dataclass(frozen=True, eq=False)
class Layer:
    """What the files of a layer hold, without padding.

    Parameters
    ----------
    weight
        int16 (MH, MW), of convolutions in the order row, column, channel.
    thresholds
        int64 (MH, n): the output counts those that the product of weights and inputs is not below. CNV's first layer
        has inputs of whole 128ths here. None for CNV's last layer.
    """

    weight: NDArray[np.int16]
    thresholds: NDArray[np.int64] | None

    @property
    def weight_dtype(self) -> DataType:
        """The narrowest format of the weights."""
        if (self.weight != 0).all() and self.weight.min() >= -1:
            return BIPOLAR
        return TERNARY if self.weight.min() >= -1 else DataType("int", 2)


def decode(path: Path) -> tuple[Network, tuple[Layer, ...]]:
    """Which network the folder or archive `path` holds, and its layers.

    Raises
    ------
    ModelError
        If it cannot be read, or does not hold exactly a network that BNN-PYNQ has hardware for.
    """
    files = parameter_files.read(path)
    network = _recognise(path, files)
    layers = [_layer(path, files, network, layer) for layer in range(len(network.matrices))]
    rows = _classes(path, files, network, layers[-1])
    last = layers[-1]
    layers[-1] = Layer(last.weight[:rows], None if last.thresholds is None else last.thresholds[:rows])
    return network, tuple(layers)


def _recognise(path: Path, files: dict[str, bytes]) -> Network:
    misfits = {network: _misfits(network, files) for network in NETWORKS}
    network = min(NETWORKS, key=lambda candidate: len(misfits[candidate]))
    if problems := misfits[network]:
        more = [f"and {len(problems) - MAX_PROBLEMS} files more"] if len(problems) > MAX_PROBLEMS else []
        names = ", ".join(candidate.name for candidate in NETWORKS)
        raise ModelError(
            f"{path}: not the parameters of a BNN-PYNQ network ({names}); for {network.name}, the nearest, "
            f"{len(problems)} files do not fit: copy the folder again",
            (*problems[:MAX_PROBLEMS], *more),
        )
    return network


def _misfits(network: Network, files: dict[str, bytes]) -> list[str]:
    """The files that are not as `network` has them, each with what is wrong."""
    sizes = network.sizes()
    unread = f"{network.last}-" if network.convolutional else None
    problems = []
    for name, size in sizes.items():
        if name not in files:
            problems.append(f"{name}: missing")
        elif len(files[name]) != size:
            problems.append(f"{name}: has {len(files[name])} bytes, not {size}")
    for name in sorted(files.keys() - sizes.keys() - {parameter_files.CLASSES}):
        if not (unread and name.startswith(unread) and name.endswith("-thres.bin")):
            problems.append(f"{name}: belongs to no layer or processing element of {network.name}")
    return problems


def _layer(path: Path, files: dict[str, bytes], network: Network, layer: int) -> Layer:
    _, mw = network.matrices[layer]
    weight = _weights(path, files, network, layer)
    inputs = PIXELS if layer == 0 and not network.convolutional else mw
    # The padding of an input is zero bits, which is -1.
    padding = -weight[:, inputs:].sum(axis=1, dtype=np.int64, keepdims=True)
    weight = weight[:, :inputs]
    if not network.thresholds(layer):
        return Layer(weight, None)
    fixed = network.convolutional and layer == 0
    words = _thresholds(path, files, network, layer, bits=24 if fixed else 16)
    if fixed:  # the smallest whole input code above
        return Layer(weight, (words >> (FIRST_FRACTION - INPUT_FRACTION)) + 1)
    if network.counts_equal_bits(layer):  # the product of `mw` bits is twice that number less `mw`
        words = 2 * words - mw
    return Layer(weight, words - padding + 1)


def _weights(path: Path, files: dict[str, bytes], network: Network, layer: int) -> NDArray[np.int16]:
    (mh, mw), pe, simd, bits = network.matrices[layer], network.pe[layer], network.simd[layer], network.weight_bits
    words = np.empty((pe, mh // pe * (mw // simd)), np.uint64)
    for element in range(pe):
        name = f"{layer}-{element}-weights.bin"
        words[element] = np.frombuffer(files[name], "<u8")
        if int(words[element].max()) >> (simd * bits):
            raise ModelError(
                f"{path}: {name} holds words of more than the {simd * bits} bits of {network.name}: damaged, or of "
                "another network: copy the folder again"
            )
    shifts = np.arange(simd, dtype=np.uint64) * np.uint64(bits)
    codes = ((words[..., None] >> shifts) & np.uint64((1 << bits) - 1)).astype(np.int16)
    values = 2 * codes - 1 if bits == 1 else codes - 4 * (codes >> 1)
    return values.reshape(pe, mh // pe, mw).swapaxes(0, 1).reshape(mh, mw)


def _thresholds(path: Path, files: dict[str, bytes], network: Network, layer: int, *, bits: int) -> NDArray[np.int64]:
    """As the memories hold them: the hardware takes the low `bits` of a word; those above repeat the sign or are 0."""
    (mh, _), pe = network.matrices[layer], network.pe[layer]
    words = np.empty((pe, mh // pe, network.thresholds(layer)), np.int64)
    for element in range(pe):
        name = f"{layer}-{element}-thres.bin"
        words[element] = np.frombuffer(files[name], "<i8").reshape(words.shape[1:])
        if words[element].min() < -(1 << (bits - 1)) or words[element].max() >= 1 << bits:
            raise ModelError(
                f"{path}: {name} holds thresholds of more than {bits} bits: damaged: copy the folder again"
            )
    half = 1 << (bits - 1)
    return ((words + half) % (2 * half) - half).swapaxes(0, 1).reshape(mh, -1)


def _classes(path: Path, files: dict[str, bytes], network: Network, last: Layer) -> int:
    """How many rows of the last layer are classes: as many as have names, or those before the padding."""
    rows = len(last.weight)
    if parameter_files.CLASSES not in files:
        padding = 1 if network.weight_bits == 1 else 0
        used = np.flatnonzero((last.weight != padding).any(axis=1))
        return int(used.max(initial=0)) + 1
    named = sum(bool(line.strip()) for line in files[parameter_files.CLASSES].splitlines())
    if not 1 <= named <= rows:
        raise ModelError(f"{path}: {parameter_files.CLASSES} names {named} classes, not 1 to {rows}: one on each line")
    return named
