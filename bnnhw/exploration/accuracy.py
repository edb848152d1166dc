"""How often a model is right on a user's samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bnnhw import reference
from bnnhw.errors import InputError, ModelError
from bnnhw.exploration.models import ModelFile, check_same
from bnnhw.exploration.tasks import Answer
from bnnhw.inputs import read_inputs
from bnnhw.toolchain.report import digest_of, package_version


@dataclass(frozen=True)
class Accuracy:
    """The share of right classes, by the reference, which the hardware equals.

    Parameters
    ----------
    samples, sha256
        Path of an .npz with ``inputs`` and ``labels``, and the digest of that file.
    """

    model: ModelFile
    samples: str
    sha256: str
    version: str = field(default_factory=lambda: package_version("bnnhw"))

    @classmethod
    def on(cls, samples: Path, model: ModelFile) -> Accuracy:
        """That of `model` on a file.

        Raises
        ------
        InputError
            If there is no such file.
        """
        return cls(model, str(samples), digest_of(samples))

    @property
    def name(self) -> str:
        return f"accuracy of {self.model.name}"

    @property
    def key(self) -> Mapping[str, Any]:
        return {"kind": "accuracy", **asdict(self)}

    def answer(self) -> Answer:
        """``accuracy``; None for a model that does not map.

        Raises
        ------
        InputError
            If the samples do not fit the model, or have no labels, or are not those that were asked for.
        """
        path = Path(self.samples)
        check_same(path, self.sha256)
        try:
            graph = self.model.imported().graph
        except ModelError:
            return {"accuracy": None}
        inputs = read_inputs(graph, path)
        if inputs.labels is None or not len(inputs.values):
            raise InputError(f"{path}: an accuracy needs `inputs` (N, ...) and `labels` (N,) with N of at least 1")
        right = reference.run(graph, inputs.values)["prediction"] == inputs.labels
        return {"accuracy": float(right.mean())}
