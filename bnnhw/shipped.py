"""The models that are shipped, and how a user names a model: by a shipped name or by the path of a file or folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnnhw.errors import InputError
from bnnhw.hints import did_you_mean, did_you_mean_file
from bnnhw.resources import folder

SUFFIXES = (".onnx", ".onnx.gz", ".npz", ".safetensors", ".tar", ".tar.gz", ".tgz")
# A folder with this file is one of BNN-PYNQ parameters.
PARAMETERS = "0-0-weights.bin"
FAMILIES = "families"


@dataclass(frozen=True)
class ShippedModel:
    """One folder of ``models/``.

    Parameters
    ----------
    name
        The folder's path from there.
    folder
        Where ``model.onnx``, ``model.json`` and ``golden.npz`` lie.
    facts
        The content of ``model.json``.
    """

    name: str
    folder: Path
    facts: dict[str, Any]

    @property
    def file(self) -> Path:
        return self.folder / "model.onnx"

    @property
    def golden(self) -> Path:
        """Real inputs with their labels, and the outputs of an executor that is not ours."""
        return self.folder / "golden.npz"


def shipped_models() -> dict[str, ShippedModel]:
    """The shipped models by name, sorted; without `family_models`."""
    return _models("*")


def family_models() -> dict[str, ShippedModel]:
    """The shipped models of published families, one of each, by names like ``families/bnn``, sorted."""
    return _models(f"{FAMILIES}/*")


def _models(pattern: str) -> dict[str, ShippedModel]:
    top, found = folder("models"), {}
    for file in sorted(top.glob(f"{pattern}/model.json")):
        name = file.parent.relative_to(top).as_posix()
        found[name] = ShippedModel(name, file.parent, json.loads(file.read_text()))
    return found


def shipped_model(name: str | Path) -> ShippedModel | None:
    """The shipped model of this name, of either kind."""
    known = family_models() if str(name).startswith(f"{FAMILIES}/") else shipped_models()
    return known.get(str(name))


def known_accuracy(file: Path | None) -> tuple[float, int] | None:
    """The share of right classes of the shipped model in `file`, and of how many samples; None for other files."""
    for model in () if file is None else (*shipped_models().values(), *family_models().values()):
        if model.file == file:
            return float(model.facts["accuracy"]), int(model.facts["samples"])
    return None


def find_model(model: str | Path) -> tuple[str, Path]:
    """Name and place of what a user calls `model`: a file, or a folder of BNN-PYNQ parameters.

    Raises
    ------
    InputError
        If there is neither such a shipped model nor such a file or folder.
    """
    found = shipped_model(model)
    if found is not None:
        return found.name, found.file
    shipped = shipped_models()
    path = Path(model)
    if path.is_file():
        # Under the name of a shipped model, another one would be compared with that one's answers.
        return path.name if model_name(path) in shipped else model_name(path), path
    if (path / PARAMETERS).is_file():
        return path.resolve().name, path
    if path.is_dir():
        raise InputError(
            f"{path}: a folder without a plan.json or a {PARAMETERS}: give one that `bnnhw compile -o` wrote, one of "
            "BNN-PYNQ parameters, or a model file"
        )
    hint = did_you_mean(str(model), [*shipped, *family_models()]) or did_you_mean_file(path)
    raise InputError(f"{model}: no such file, nor a shipped model ({', '.join(shipped)}){hint}")


def model_name(path: Path) -> str:
    """The name of the model in the file `path`: its file name without the endings."""
    name = path.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        name = name.removesuffix(suffix)
    return name
