"""The picture of a graph, what `check` says beside it, and both of files that do not map."""

from __future__ import annotations

from pathlib import Path

import pytest

import bnnhw
from bnnhw.errors import InputError
from tests.browser import opened
from tests.cli.conftest import CLI, cli, refused
from tests.onnx_models import Net

__all__ = ["cli", "refused"]


@pytest.mark.parametrize(
    ("model", "texts"),
    [
        (
            "digits-binary",
            [
                "input",
                "64, int3",
                "Dense 64 to 128, bipolar",
                "128, -234..234",
                "prediction: a class",
                "outputs: 10, float32",
            ],
        ),
        ("families/birealnet", ["Window 3 x 3", "6 x 6 x 144, ternary", "add10_node", "software on the host"]),
    ],
)
def test_the_picture_can_be_read(model: str, texts: list[str], tmp_path: Path) -> None:
    found = bnnhw.check(model, plot=tmp_path / "graph.svg")
    page = opened(tmp_path / "graph.svg")
    assert not page.complaints()
    assert page.unreadable() == []
    assert {model, *texts} <= {*page.texts()}
    assert found["plot"] == str(tmp_path / "graph.svg")
    bnnhw.check(model, plot=tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "graph.svg").read_bytes()


def refused_file(folder: Path) -> Path:
    net = Net((1, 6))
    x = net.node("Sin", net.dense(net.bipolar("x"), 6, 6))
    net.dense(net.bipolar(x), 6, 3)
    return net.save(folder / "odd.onnx")


def test_a_file_that_does_not_map_shows_where(cli: CLI, tmp_path: Path) -> None:
    outcome = cli("check", refused_file(tmp_path), "--plot", tmp_path / "graph.svg")
    assert outcome.status == 2 and "NOT POSSIBLE" in outcome.out
    page = opened(tmp_path / "graph.svg")
    assert page.unreadable() == [] and {"Sin", "does not", "maps to hardware"} <= {*page.texts()}
    assert (tmp_path / "graph.svg").read_text().count("#f6c9c4") == 2  # in the legend, and the node


def test_pictures_are_svg_files(refused: CLI, tmp_path: Path) -> None:
    message = refused("check", "digits-binary", "--plot", tmp_path / "graph.png").err
    assert "--plot" in message and "graph.png" in message and ".svg" in message
    with pytest.raises(InputError, match="cannot be written"):
        bnnhw.check("digits-binary", plot=tmp_path)


def test_a_name_of_any_letters_is_text(tmp_path: Path) -> None:
    net = Net((1, 6))
    net.dense(net.bipolar("x"), 6, 3)
    bnnhw.check(net.save(tmp_path / "a<b>&c.onnx"), plot=tmp_path / "graph.svg")
    assert "a<b>&c" in opened(tmp_path / "graph.svg").texts()
