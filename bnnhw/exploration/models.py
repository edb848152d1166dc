"""A model as tasks carry it: its name and what tells its file from another one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bnnhw.arithmetic.formats import DataType
from bnnhw.compiler import Imported, import_model
from bnnhw.errors import InputError, ModelError
from bnnhw.shipped import find_model, shipped_model
from bnnhw.toolchain.report import digest_of

# Models that a process keeps: tasks come ordered by model, and large networks take memory.
KEPT = 4


@dataclass(frozen=True)
class ModelFile:
    """A model.

    Parameters
    ----------
    name
        As the user gave it: a shipped name or a path, which workers on other machines have to see as well.
    sha256
        Of its file, or of those in its folder.
    input_format, output_tensor
        As `bnnhw.load` takes them; the format by its name.
    """

    name: str
    sha256: str
    input_format: str | None = None
    output_tensor: str | None = None

    @classmethod
    def find(cls, name: str | Path, input_format: DataType | None, output_tensor: str | None) -> ModelFile:
        """The model that a user calls `name`.

        Raises
        ------
        InputError
            If there is none.
        """
        _, path = find_model(name)
        return cls(str(name), digest_of(path), None if input_format is None else input_format.name, output_tensor)

    def imported(self) -> Imported:
        """The model, read once in each process.

        Raises
        ------
        ModelError
            If it does not map.
        InputError
            If there is no such file here, or another one.
        """
        found = _imported(self)
        if isinstance(found, ModelError):
            raise found
        return found

    @property
    def accuracy(self) -> float | None:
        """The share of right classes that a shipped model had on its test set."""
        shipped = shipped_model(self.name)
        return None if shipped is None else float(shipped.facts["accuracy"])


@lru_cache(KEPT)
def _imported(model: ModelFile) -> Imported | ModelError:
    check_same(find_model(model.name)[1], model.sha256)
    try:
        return import_model(
            model.name,
            None if model.input_format is None else DataType.parse(model.input_format),
            model.output_tensor,
        )
    except ModelError as error:
        return error


def check_same(path: Path, sha256: str) -> None:
    """Refuses a file that is not the one that a task was made for.

    Raises
    ------
    InputError
        Naming it.
    """
    if digest_of(path) != sha256:
        raise InputError(f"{path}: not the file that the exploration began with: all workers must see the same files")
