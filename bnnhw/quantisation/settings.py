"""What is asked for: formats and methods, for all layers, for the first and the last, and for single ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bnnhw.errors import InputError
from bnnhw.hints import did_you_mean
from bnnhw.quantisation.correction import MODES
from bnnhw.quantisation.ranges import METHODS
from bnnhw.reading import read_json

MAX_BITS = 8
WEIGHTS = re.compile(r"binary|ternary|int([2-9]|\d\d+)")
WORDS = {
    "weights": ("binary", "ternary", *(f"int{bits}" for bits in range(2, MAX_BITS + 1))),
    "activations": tuple(f"{kind}{bits}" for kind in ("uint", "int") for bits in range(1, MAX_BITS + 1)),
}
ACTIVATIONS = re.compile(r"uint([1-9]|\d\d+)|int([2-9]|\d\d+)")
# Where nothing else is asked for.
DEFAULTS = {"weights": "int8", "activations": "uint8", "method": "mse", "percentile": 99.9, "correction": "none"}
INPUT_BITS = 8
FOLD, KEEP = "fold", "keep"
_KEYS = tuple(DEFAULTS)
_TOP = (*_KEYS, "batch_norm", "first", "last", "layers")


@dataclass(frozen=True)
class Choice:
    """For one layer.

    Parameters
    ----------
    weights
        ``binary``, ``ternary`` or ``intN``.
    activations
        Of what the layer takes: ``uintN``, which becomes ``intN`` where values are negative, or ``intN``.
    method, percentile
        How the range of what the layer takes is found, see `bnnhw.quantisation.ranges`.
    correction
        What its outputs get for what coarse weights do to them, see `bnnhw.quantisation.correction`.
    """

    weights: str
    activations: str
    method: str
    percentile: float
    correction: str

    @property
    def bits(self) -> int:
        return int(re.sub(r"\D", "", self.activations))

    @property
    def signed(self) -> bool:
        return self.activations.startswith("int")


@dataclass(frozen=True)
class Settings:
    """For a network.

    Parameters
    ----------
    general, first, last
        What is asked for, by key: of all layers, of those that take the network's input, and of those that give its
        output.
    layers
        The same by the name of a layer.
    fold
        Whether a batch normalisation becomes part of the float weights before it.
    source
        The file that says so, for errors.
    """

    general: Mapping[str, Any] = field(default_factory=dict)
    first: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[str, Any] = field(default_factory=dict)
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fold: bool = False
    source: str = ""

    def choice(self, layer: str, *, first: bool = False, last: bool = False) -> Choice:
        """For the layer of that name; the network's input has 8 bits where nothing is said of the first layer."""
        chosen = {**DEFAULTS, **self.general}
        if first:
            kind = "int" if chosen["activations"].startswith("int") else "uint"
            chosen |= {"activations": f"{kind}{INPUT_BITS}", **self.first}
        if last:
            chosen |= self.last
        return Choice(**{**chosen, **self.layers.get(layer, {})})

    def check_names(self, known: Iterable[str]) -> None:
        """Refuses settings of layers that the network has not.

        Raises
        ------
        InputError
            With the nearest name.
        """
        names = list(known)
        for name in self.layers:
            if name not in names:
                raise InputError(
                    f"{self.source}: the network quantises no layer {name!r}{did_you_mean(name, names)}: use the names "
                    f"that `bnnhw check` lists ({', '.join(names[:6])}{', ...' if len(names) > 6 else ''})"
                )


def settings(config: Path | None, **given: Any) -> Settings:
    """What the file `config` says, and above it what was `given` on the command line.

    Raises
    ------
    InputError
        If the file cannot be read, or a key or a value is none of those known; the nearest key is named.
    """
    found = Settings() if config is None else _read(config)
    options = {key: value for key, value in given.items() if value is not None}
    _check("option --", options)
    return replace(found, general={**found.general, **options})


def _read(path: Path) -> Settings:
    data = read_json(path, remedy='write an object such as {"weights": "int4", "layers": {"conv1": {...}}}')
    if not isinstance(data, dict):
        raise InputError(f"{path}: holds no JSON object: write the settings by their keys, {', '.join(_TOP)}")
    _known(str(path), data, _TOP)
    batch_norm = data.pop("batch_norm", KEEP)
    if batch_norm not in (FOLD, KEEP):
        raise InputError(f"{path}: batch_norm is {batch_norm!r}: use {FOLD!r} or {KEEP!r}")
    parts = {key: data.pop(key, {}) for key in ("first", "last", "layers")}
    for key, part in parts.items():
        if not isinstance(part, dict):
            raise InputError(f"{path}: {key} is {part!r}: write an object of settings")
    layers = parts.pop("layers")
    for name, part in [*parts.items(), *layers.items()]:
        if not isinstance(part, dict):
            raise InputError(f"{path}: {name} is {part!r}: write an object of settings")
        _known(f"{path}: {name}", part, _KEYS)
        _check(f"{path}: {name}: ", part)
    _check(f"{path}: ", data)
    return Settings(general=data, layers=layers, fold=batch_norm == FOLD, source=str(path), **parts)


def _known(where: str, data: Mapping[str, Any], keys: Iterable[str]) -> None:
    for key in data:
        if key not in keys:
            raise InputError(f"{where}: unknown key {key!r}{did_you_mean(key, keys)}: use {', '.join(keys)}")


def _check(where: str, chosen: Mapping[str, Any]) -> None:
    """Refuses values that their keys cannot have."""
    for key, pattern, words in (
        ("weights", WEIGHTS, f"binary, ternary or int2 to int{MAX_BITS}"),
        ("activations", ACTIVATIONS, f"uint1 to uint{MAX_BITS} or int2 to int{MAX_BITS}"),
    ):
        value = chosen.get(key, "int8")
        match = pattern.fullmatch(value) if isinstance(value, str) else None
        if match is None or any(int(bits) > MAX_BITS for bits in match.groups() if bits):
            # No width is likelier to be meant than another.
            known = () if re.fullmatch(r"u?int\d+", str(value)) else WORDS[key]
            raise InputError(f"{where}{key} is {value!r}{did_you_mean(str(value), known) or ':'} use {words}")
    for key, known in (("method", METHODS), ("correction", MODES)):
        word = chosen.get(key, known[0])
        if word not in known:
            raise InputError(f"{where}{key} is {word!r}{did_you_mean(str(word), known)}: use {', '.join(known)}")
    percentile = chosen.get("percentile", DEFAULTS["percentile"])
    if isinstance(percentile, bool) or not isinstance(percentile, (int, float)) or not 50 < percentile <= 100:
        raise InputError(f"{where}percentile is {percentile!r}: use a number above 50 and up to 100")
