"""Model file -> Graph, for all formats: QONNX, parameters of lookup-table networks, and the folders of BNN-PYNQ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bnnhw.arithmetic.formats import DataType
from bnnhw.errors import ModelError
from bnnhw.frontend.bnn_pynq import inspect_bnn_pynq, load_bnn_pynq
from bnnhw.frontend.dialects import BNN_PYNQ, dialect
from bnnhw.frontend.importer import Row, inspect_qonnx, load_qonnx
from bnnhw.frontend.lookup_parameters import (
    LOOKUP,
    has_lookup_parameters,
    inspect_lookup_parameters,
    load_lookup_parameters,
)
from bnnhw.frontend.parameter_files import is_folder_or_archive
from bnnhw.ir.graph import Graph

__all__ = ["Row", "format_name", "inspect", "inspect_bnn_pynq", "inspect_qonnx", "load", "load_bnn_pynq", "load_qonnx"]


def load(path: Path, *, input_format: DataType | None = None, output_tensor: str | None = None) -> Graph:
    """The imported graph of a QONNX file, of a lookup-table network's parameters (.npz or .safetensors), or of a
    BNN-PYNQ parameter folder or archive.

    `output_tensor` chooses one of the outputs of a file that has several.

    Raises
    ------
    ModelError
        As `load_qonnx`, `load_lookup_parameters` and `load_bnn_pynq`.
    """
    if has_lookup_parameters(path):
        _check_single(path, output_tensor)
        return load_lookup_parameters(path)
    if is_folder_or_archive(path):
        _check_single(path, output_tensor)
        return load_bnn_pynq(path, input_format=input_format)
    return load_qonnx(path, input_format=input_format, output_tensor=output_tensor)


def inspect(path: Path, *, output_tensor: str | None = None) -> list[Row]:
    """Every node of a QONNX file, or every layer of parameters, with what becomes of it.

    Raises
    ------
    ModelError
        As `inspect_qonnx`, `inspect_lookup_parameters` and `inspect_bnn_pynq`.
    """
    if has_lookup_parameters(path):
        _check_single(path, output_tensor)
        return inspect_lookup_parameters(path)
    if is_folder_or_archive(path):
        _check_single(path, output_tensor)
        return inspect_bnn_pynq(path)
    return inspect_qonnx(path, output_tensor=output_tensor)


def format_name(path: Path, rows: Sequence[Row]) -> str:
    """What the format of a model is called whose nodes are `rows`."""
    if has_lookup_parameters(path):
        return LOOKUP
    return BNN_PYNQ if is_folder_or_archive(path) else dialect(rows)


def _check_single(path: Path, output_tensor: str | None) -> None:
    if output_tensor is not None:
        raise ModelError(f"{path}: parameters have one output without a name: leave --output-tensor out")
