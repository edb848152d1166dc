"""Weights that are loaded: from the Verilog to the board, whatever its flash holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY
from bnnhw.compiler import make_design
from bnnhw.dataflow import Network
from bnnhw.design import Design
from bnnhw.errors import InputError, NotLoadedError, PlanError, ToolError
from bnnhw.generate.ports import Ports
from bnnhw.host import Driver
from bnnhw.inputs import inputs_for
from bnnhw.packaging import make_package
from bnnhw.passes import to_integers
from bnnhw.verify import RtlSimulation, compare, netlist
from bnnhw.verify.board import infer_on_board
from bnnhw.verify.simulated_board import SimulatedBoard
from campaigns.random_graphs import batch_norm, graph_of, matmul, quant

pytestmark = [pytest.mark.sim, pytest.mark.synth]


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    """Two layers in single-port RAM, one in words of two of them, and one in block RAM."""
    folder: Path = tmp_path_factory.mktemp("loaded")
    rng = np.random.default_rng(1)
    nodes = [quant(2, narrow=True), matmul(rng, 24, 10, TERNARY), *batch_norm(rng, 10), quant(3, 0.5)]
    nodes += [matmul(rng, 10, 8, BIPOLAR), *batch_norm(rng, 8), quant(2, narrow=True)]
    graph = graph_of([*nodes, matmul(rng, 8, 4, BIPOLAR)], (24,))
    names = [layer.name for layer in Network.of(to_integers(graph)).layers]
    shapes = [(2, 6, "spram"), (3, 5, "spram"), (2, 2, "block")]
    folding = [
        {"name": name, "pe": pe, "simd": simd, "weight_memory": memory}
        for name, (pe, simd, memory) in zip(names, shapes, strict=True)
    ]
    (folder / "folding.json").write_text(json.dumps({"layers": folding}))
    made = make_design(graph, board="icebreaker", folding=folder / "folding.json")
    assert [layer.spram for layer in made.plan.layers] == [2, 1, 0]
    return made


def damaged(image: bytes, place: int) -> bytes:
    return image[:place] + bytes([image[place] ^ 0x10]) + image[place + 1 :]


def test_every_level(design: Design) -> None:
    values = inputs_for(design.graph, None, 20).values
    found = compare(design, values, levels=["rtl", "netlist", "board"])
    assert found.mismatches == 0
    rtl, cells = found.levels["rtl"], found.levels["netlist"]
    assert (cells.cycles, cells.facts) == (rtl.cycles, rtl.facts)
    cells_text = netlist.netlist(design.plan, design.network).split("module accelerator")[1]
    assert cells_text.count("SB_SPRAM256KA") == 3
    assert found.levels["board"].facts["retries"] == 0, "the flash was read before the first frame"


def test_an_accelerator_without_weights_answers_nothing(design: Design) -> None:
    """Whatever bit of the image is wrong, and after a reset; a right one has every frame answered."""
    assert design.image is not None
    simulation = RtlSimulation(design.plan, design.network, design.verilog)
    codes = reference.encode_inputs(design.graph, inputs_for(design.graph, None, 6).values)
    for place in (0, 7, 14, 20, len(design.image) - 1):
        with pytest.raises(ToolError, match="nothing moved for"):
            simulation.run(codes, image=damaged(design.image, place))
    right = simulation.run(codes)
    again = simulation.run(codes, reset_at=3 * Ports.of(design.plan, design.network).input.beats)
    assert right.integers[3:].tolist() == again.integers.tolist()


@pytest.mark.parametrize("place", [None, 0, 6, 40, -1])
def test_a_flash_without_the_weights_is_made_up_for_by_the_link(design: Design, place: int | None) -> None:
    assert design.image is not None
    flash = b"" if place is None else damaged(design.image, place % len(design.image))
    values = inputs_for(design.graph, None, 6).values
    answers = infer_on_board(design, values, flash=flash)
    expected = reference.run(design.graph, values)
    assert answers.results.labels.tolist() == expected["prediction"].tolist()
    assert answers.results.integers.tolist() == expected["integers"].tolist()


def test_wrong_weights_over_the_link_are_none(design: Design) -> None:
    assert design.image is not None
    codes = Ports.of(design.plan, design.network).input.codes(
        reference.encode_inputs(design.graph, inputs_for(design.graph, None, 2).values)
    )
    with SimulatedBoard(design, flash=b"") as port:
        driver = Driver(port, timeout=600)
        for image in (damaged(design.image, 30), damaged(design.image, 5)):
            driver.load(image)
            with pytest.raises(NotLoadedError):
                driver.infer(codes)
        driver.load(design.image)
        assert not driver.infer(codes).errors.any()


def test_no_level_bitstream(design: Design) -> None:
    with pytest.raises(InputError, match="level bitstream: icebox_vlog leaves out single-port RAM"):
        compare(replace(design, folder=Path("somewhere")), np.zeros((1, 24), np.float32), levels=["bitstream"])


def test_no_package_of_what_only_a_board_loads(design: Design) -> None:
    with pytest.raises(PlanError, match="which only the link of a board does"):
        make_package(design, bus="stream", prefix=None, samples=2)
