"""Model file -> Graph, for both formats: QONNX, and the parameter folders of BNN-PYNQ."""

from __future__ import annotations

from pathlib import Path

from bnnhw.arithmetic.formats import DataType
from bnnhw.frontend.bnn_pynq import inspect_bnn_pynq, load_bnn_pynq
from bnnhw.frontend.importer import Row, inspect_qonnx, load_qonnx
from bnnhw.frontend.parameter_files import is_folder_or_archive
from bnnhw.ir.graph import Graph

__all__ = ["Row", "inspect", "inspect_bnn_pynq", "inspect_qonnx", "load", "load_bnn_pynq", "load_qonnx"]


def load(path: Path, *, input_format: DataType | None = None) -> Graph:
    """The imported graph of a QONNX file, or of a BNN-PYNQ parameter folder or archive.

    Raises
    ------
    ModelError
        As `load_qonnx` and `load_bnn_pynq`.
    """
    load_format = load_bnn_pynq if is_folder_or_archive(path) else load_qonnx
    return load_format(path, input_format=input_format)


def inspect(path: Path) -> list[Row]:
    """Every node of a QONNX file, or every layer of BNN-PYNQ parameters, with what becomes of it.

    Raises
    ------
    ModelError
        As `inspect_qonnx` and `inspect_bnn_pynq`.
    """
    return inspect_bnn_pynq(path) if is_folder_or_archive(path) else inspect_qonnx(path)
