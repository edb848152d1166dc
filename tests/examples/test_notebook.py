"""The notebook, run as Jupyter runs it: from Brevitas, or from the file of an earlier training, to a bitstream."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import onnx
import pytest

import bnnhw

EXAMPLES = Path(bnnhw.__file__).parents[1] / "examples"
NOTEBOOK = "brevitas_to_bitstream.ipynb"


def said(cell: Any) -> str:
    """What a cell printed or gave."""
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell["outputs"]]
    return "\n".join(texts)


@pytest.mark.end2end
def test_from_the_file_to_the_bitstream(tmp_path: Path) -> None:
    for name in (NOTEBOOK, "digits.onnx"):
        shutil.copy(EXAMPLES / name, tmp_path)
    done = subprocess.run(
        [Path(sys.executable).with_name("jupyter-execute"), "--inplace", NOTEBOOK],
        cwd=tmp_path,
        env={
            **os.environ,
            "JUPYTER_PLATFORM_DIRS": "1",
            "IPYTHONDIR": str(tmp_path / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ran = nbformat.read(tmp_path / NOTEBOOK, 4)
    text = "\n".join(said(cell) for cell in ran.cells if cell.cell_type == "code")
    assert "maps: True" in text
    for level in ("source", "reference", "rtl"):
        assert f"{level}: " in text
    assert "{'logits': 0, 'class': 0}" in text and "inferences per second" in text
    report = tmp_path / "work" / "report.json"
    assert report.exists() and (tmp_path / "work" / "report.html").exists()


def test_the_file_is_what_the_notebook_trains(tmp_path: Path) -> None:
    """The part that needs torch: an untrained network of the notebook has the operators of the file beside it."""
    torch = pytest.importorskip("torch", reason="the extra train is not installed")
    pytest.importorskip("brevitas", reason="the extra train is not installed")
    (cell,) = (cell for cell in nbformat.read(EXAMPLES / NOTEBOOK, 4).cells if "def network" in cell.source)
    space: dict[str, Any] = {}
    exec(cell.source, space)
    net = space["network"]()
    net(torch.rand(8, 64))  # so that batch normalisation has seen something
    file = space["export"](net.eval(), tmp_path / "digits.onnx")
    operators = [[node.op_type for node in onnx.load(path).graph.node] for path in (file, EXAMPLES / "digits.onnx")]
    assert operators[0] == operators[1]


def test_the_committed_outputs_are_of_this_source() -> None:
    """Each cell of code was run, in order, and none failed."""
    cells = [cell for cell in nbformat.read(EXAMPLES / NOTEBOOK, 4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
