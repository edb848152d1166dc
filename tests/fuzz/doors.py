"""The doors through which files of strangers come in, and damaged files for each of them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bnnhw import reference
from bnnhw.dataflow import Network, estimate, load_folding, make_plan
from bnnhw.design import load_design
from bnnhw.errors import BnnhwError
from bnnhw.frontend import inspect, load
from bnnhw.inputs import random_inputs, read_inputs
from bnnhw.ir import store
from bnnhw.ir.graph import Graph
from bnnhw.parts import PARTS
from bnnhw.passes import to_integers
from bnnhw.reading import read_verilog
from tests.fuzz.strategies import archives, changed_json, changed_model, damaged
from tests.onnx_models import Net, quantised_input, small_classifier

CORPUS = Path(__file__).parent / "corpus"
PART = PARTS["ice40-up5k"]


@dataclass(frozen=True)
class Door:
    """One kind of file.

    Parameters
    ----------
    file
        Its name. Where that is one of a design's files, the others are beside it and sound.
    contents
        Damaged ones.
    enter
        What the tool does with the file at a path.
    """

    file: str
    contents: Callable[[], SearchStrategy[bytes]]
    enter: Callable[[Path], None]

    def takes(self, content: bytes, folder: Path) -> bool:
        """Whether a file of this content is taken, not refused; any error but one of the user's is a defect."""
        path = folder / self.file
        for name, sound in design().items():
            (folder / name).write_bytes(sound)
        path.write_bytes(content)
        try:
            self.enter(path)
        except BnnhwError as error:
            lines = str(error).splitlines()
            assert str(folder) in lines[0] or "--folding" in lines[0] or "model " in lines[0], lines[0]
            assert all(len(line) < 4000 for line in lines)
            return False
        return True


def convolutional() -> Net:
    """A map of 6 x 6 and 2 channels, a convolution, a pool, and 3 classes."""
    net, x = quantised_input(shape=(1, 2, 6, 6))
    x = net.bipolar(net.batch_norm(net.conv(x, inputs=2, outputs=4), 4))
    x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    net.dense(net.node("Flatten", x, axis=1), inputs=16, outputs=3)
    return net


@cache
def models() -> tuple[bytes, ...]:
    """Sound .onnx files."""
    return tuple(
        net.model(net.nodes[-1].output[0]).SerializeToString() for net in (small_classifier(), convolutional())
    )


@cache
def graph() -> Graph:
    """The integers of the convolutional model."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(models()[1])
        return to_integers(load(path))


@cache
def design() -> dict[str, bytes]:
    """The files of a sound design, but for its Verilog."""
    import tempfile

    plan = make_plan(Network.of(graph()), PART, board="icebreaker")
    with tempfile.TemporaryDirectory() as folder:
        store.save(graph(), Path(folder))
        files = {name: Path(folder, name).read_bytes() for name in (store.GRAPH, store.TENSORS)}
    return {**files, "plan.json": plan.to_json().encode()}


@cache
def array(values: np.ndarray | tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(values, np.float32), allow_pickle=False)
    return file.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in ("net/0-0-weights.bin", "net/0-0-thres.bin", "net/classes.txt"):
            member = tarfile.TarInfo(name)
            member.size = 8
            archive.addfile(member, io.BytesIO(b"12345678"))
    return file.getvalue()


def samples() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, inputs=np.zeros((3, 2, 6, 6), np.float32), labels=np.zeros(3, int), allow_pickle=False)
    return file.getvalue()


def enter_model(path: Path) -> None:
    for row in inspect(path):
        assert row.becomes
    to_integers(load(path))


def enter_design(path: Path) -> None:
    found = load_design(path.parent)
    estimate(found.plan, found.network)


def enter_graph(path: Path) -> None:
    found = store.load(path.parent)
    Network.of(found)
    reference.run(found, random_inputs(found, 2).values)


def enter_folding(path: Path) -> None:
    make_plan(Network.of(graph()), PART, folding=load_folding(path))


def enter_inputs(path: Path) -> None:
    reference.run(graph(), read_inputs(graph(), path).values)


def enter_verilog(path: Path) -> None:
    read_verilog(path)


def json_of(name: str) -> SearchStrategy[bytes]:
    content = design()[name]
    return changed_json(json.loads(content)) | damaged(st.just(content))


VERILOG = (
    b'/* by yosys */\n(* x = "y" *)\nmodule \\$a (clk);\n  input clk;\n  assign \\b$1 = $signed(c); // end\nendmodule\n'
)

DOORS = {
    "onnx": Door(
        "model.onnx",
        lambda: changed_model(st.sampled_from(models())) | damaged(st.sampled_from(models())),
        enter_model,
    ),
    "params": Door("net.tar", lambda: damaged(st.just(tar())), enter_model),
    "inputs": Door(
        "x.npz",
        lambda: damaged(st.just(samples())) | archives({"inputs": array((1, 2, 3)), "labels": array((0,))}),
        enter_inputs,
    ),
    "plan": Door("plan.json", lambda: json_of("plan.json"), enter_design),
    "folding": Door("folding.json", lambda: json_of("plan.json"), enter_folding),
    "graph": Door("graph.json", lambda: json_of("graph.json"), enter_graph),
    "tensors": Door("tensors.npz", lambda: damaged(st.just(design()["tensors.npz"])), enter_graph),
    "verilog": Door("accelerator.v", lambda: damaged(st.just(VERILOG)), enter_verilog),
}
