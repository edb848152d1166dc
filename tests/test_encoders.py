"""Where the bits of a network's first tables are made, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow import Network
from bnnhw.encoders import encoder_costs
from bnnhw.frontend import load
from bnnhw.passes import to_integers
from tests.lookup_networks import random_network, written

pytestmark = pytest.mark.unit

UINT4 = DataType("uint", 4)


def file(tmp_path: Path) -> Path:
    """Six features of one cut each, at 8: a comparison is the high bit of a feature."""
    network = random_network(1, features=6, levels=1, layers=((12, 4),))
    cuts = np.full((6, 1), 7.5, np.float32)
    encoder = replace(network.encoder, thresholds=cuts, used=np.arange(6))
    wiring = np.arange(48).reshape(12, 4) % 6
    layers = (replace(network.layers[0], wiring=wiring),)
    return written(tmp_path / "n.onnx", replace(network, encoder=encoder, layers=layers))


def test_both_ways(tmp_path: Path) -> None:
    source = load(file(tmp_path), input_format=UINT4)
    host, chip = "on the host: 6 bits a frame", "on the chip (--encoder chip): 24 bits a frame, and about 0 LUTs more"
    assert encoder_costs(source, Network.of(to_integers(source))) == f"encoder {host}; {chip}"
    assert encoder_costs(source, Network.of(to_integers(source, encoder="chip"))) == f"encoder {chip}; {host}"


def test_an_input_of_no_format(tmp_path: Path) -> None:
    found = bnnhw.check(file(tmp_path))["notes"]
    (said,) = (note for note in found if note.startswith("encoder"))
    assert said.startswith(
        "encoder on the host: 6 bits a frame; where the format of the input is stated, --encoder chip"
    )


def test_other_networks_have_none() -> None:
    design = bnnhw.compile("digits-binary", board="icebreaker")
    assert design.source is not None
    assert encoder_costs(design.source, design.network) is None
