"""The verb: rows, files, and what is not measured twice."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bnnhw
from bnnhw.errors import InputError, PlanError, ToolError
from bnnhw.exploration import points
from bnnhw.exploration.results import COLUMNS, has_figures
from bnnhw.shipped import shipped_models
from tests.exploration.boards import board_of_ours
from tests.exploration.tasks import Interrupted
from tests.onnx_models import Net

pytestmark = pytest.mark.unit

MODEL = "digits-binary"
GOLDEN = shipped_models()[MODEL].golden


def float_model(folder: Path) -> Path:
    """A file that does not map."""
    net = Net()
    return net.save(folder, net.node("Sin", "x"))


def test_every_model_on_every_target_at_every_rate(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    rows = bnnhw.explore(
        [MODEL, "digits-ternary", MODEL],
        boards=["icebreaker", "iCEBreaker"],
        parts=["ecp5-25f"],
        fps=[None, 1000, 1e9],
        folder=tmp_path,
        count=lambda done, of: told.append((done, of)),
    )
    assert [(row["model"], row["board"] or row["part"], row["fps"]) for row in rows] == [
        (model, target, fps)
        for model in (MODEL, "digits-ternary")
        for target in ("icebreaker", "ecp5-25f")
        for fps in (None, 1000, 1e9)
    ]
    assert told[0] == (0, 12) and told[-1] == (12, 12)
    for row in rows:
        assert list(row) == [*COLUMNS, "seconds"]
        assert row["outcome"] == ("refused" if row["fps"] == 1e9 else "planned")
        assert ("--fps" in (row["reason"] or "")) == (row["outcome"] == "refused")
    design = bnnhw.compile(MODEL, board="icebreaker", fps=1000)
    row = rows[1]
    assert row["digest"] == design.plan.digest and row["accuracy"] == shipped_models()[MODEL].facts["accuracy"]
    assert row["cycles_per_inference"] == design.estimate["cycles_per_inference"]
    assert row["lut4"] == design.estimate["utilization"]["lut4"]["used"]
    assert row["latency_us"] == design.estimate["latency_cycles"] / design.plan.clock_mhz
    assert row["weight_bits"] == sum(layer["weight_bits"] for layer in bnnhw.check(MODEL)["layers"])
    with (tmp_path / "results.csv").open() as file:
        read = list(csv.DictReader(file))
    assert [list(one) for one in read] == [list(COLUMNS)] * 12
    assert [one["lut4"] for one in read] == ["" if row["lut4"] is None else str(row["lut4"]) for row in rows]
    assert json.loads((tmp_path / "results.json").read_text()) == {"schema": 1, "rows": rows}


def test_the_front_is_that_of_each_target_and_has_each_design_once() -> None:
    rows = bnnhw.explore([MODEL, "digits-ternary"], boards=["icebreaker", "ulx3s-85f"], fps=[100, 101, 10_000])
    for target in ("icebreaker", "ulx3s-85f"):
        best = [row for row in rows if row["board"] == target and row["pareto"]]
        assert best and len({row["digest"] for row in best}) == len(best)
    assert any(row["pareto"] is False for row in rows)


def test_a_run_that_is_interrupted_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"boards": ["icebreaker"], "fps": [100, 1000, 10_000]}
    whole = bnnhw.explore([MODEL], folder=tmp_path / "whole", **options)
    made: list[str] = []
    measured = points.Point.answer

    def counted(point: points.Point) -> Any:
        made.append(point.name)
        return measured(point)

    monkeypatch.setattr(points.Point, "answer", counted)
    with pytest.raises(KeyboardInterrupt):
        bnnhw.explore([MODEL], folder=tmp_path / "cut", executor=Interrupted(2), **options)
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == ["points"]
    rows = bnnhw.explore([MODEL], folder=tmp_path / "cut", **options)
    assert len(made) == len(set(made)) == 3
    assert (tmp_path / "cut" / "results.csv").read_bytes() == (tmp_path / "whole" / "results.csv").read_bytes()
    # Another call asks for less and for more.
    more = bnnhw.explore([MODEL], folder=tmp_path / "cut", boards=["icebreaker"], fps=[1000, 2000])
    assert len(made) == 4 and more[0]["digest"] == rows[1]["digest"] == whole[1]["digest"]


def test_another_file_of_the_same_name_is_another_model(tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    found = []
    for name in (MODEL, "digits-ternary"):
        path.write_bytes(shipped_models()[name].file.read_bytes())
        (row,) = bnnhw.explore([path], boards=["icebreaker"], fps=[1000], folder=tmp_path / "out")
        found.append(row["lut4"])
    assert found[0] != found[1] and len(list((tmp_path / "out" / "points").iterdir())) == 2


def test_files_that_change_while_they_are_explored(tmp_path: Path) -> None:
    """As where a worker on another machine has another file under the same path."""
    path, board = tmp_path / "mine.onnx", board_of_ours(tmp_path)
    path.write_bytes(shipped_models()[MODEL].file.read_bytes())

    class Changing(Interrupted):
        def submit(self, *arguments: Any, **options: Any) -> Any:
            changed.write_bytes(changed.read_bytes() + b"\n")
            return super().submit(*arguments, **options)

    for changed in (path, board):
        rows = bnnhw.explore([path], boards=[str(board)], fps=[1000], executor=Changing(9))
        assert rows[0]["outcome"] == "failed" and f"{changed}: not the file" in rows[0]["reason"]


def test_models_that_do_not_map_are_rows(tmp_path: Path) -> None:
    path = float_model(tmp_path)
    rows = bnnhw.explore([path, MODEL], boards=["icebreaker"], fps=[1000, 2000])
    assert [row["outcome"] for row in rows] == ["refused", "refused", "planned", "planned"]
    assert rows[0]["reason"] == rows[1]["reason"] and "\n" not in rows[0]["reason"] and str(path) in rows[0]["reason"]
    assert rows[0]["accuracy"] is None and rows[0]["pareto"] is None


def test_accuracy_on_samples(tmp_path: Path) -> None:
    arrays, mine = np.load(GOLDEN), tmp_path / "mine.onnx"
    mine.write_bytes(shipped_models()[MODEL].file.read_bytes())
    half = tmp_path / "half.npz"
    labels = arrays["labels"][:100].copy()
    np.savez(half, inputs=arrays["inputs"][:100], labels=labels)
    options: dict[str, Any] = {"boards": ["icebreaker"], "fps": [1000], "folder": tmp_path / "out"}
    right = float((bnnhw.infer(MODEL, half)["prediction"] == labels).mean())
    rows = bnnhw.explore([mine, MODEL, float_model(tmp_path)], accuracy=half, **options)
    assert [row["accuracy"] for row in rows] == [right, right, None]
    assert [row["accuracy"] for row in bnnhw.explore([mine], **options)] == [None]
    np.savez(half, inputs=arrays["inputs"][:100])
    with pytest.raises(InputError, match=f"{half}: an accuracy needs"):
        bnnhw.explore([mine], accuracy=half, **options)
    np.savez(half, inputs=arrays["inputs"][:100, :3], labels=labels)
    with pytest.raises(InputError, match=f"{half}: inputs of model mine"):
        bnnhw.explore([mine], accuracy=half, **options)


def test_foldings(tmp_path: Path) -> None:
    layers = [layer["name"] for layer in bnnhw.check(MODEL)["layers"]]
    finn, other = tmp_path / "finn.json", tmp_path / "other.json"
    finn.write_text(json.dumps({name: {"PE": 2, "SIMD": 4} for name in layers}))
    other.write_text(json.dumps({"layers": [{"name": "elsewhere", "pe": 2}]}))
    rows = bnnhw.explore([MODEL], boards=["icebreaker"], foldings=[finn, None, other])
    assert [row["folding"] for row in rows] == [str(finn), None, str(other)]
    assert rows[0]["digest"] == bnnhw.compile(MODEL, board="icebreaker", folding=finn).plan.digest != rows[1]["digest"]
    assert rows[2]["outcome"] == "refused" and "elsewhere" in rows[2]["reason"]


REPORT = {
    "utilization": {"lut4": {"used": 1, "available": 9}, "block_ram": {"used": 2, "available": 8}},
    "clock_mhz": 20.0, "cycles_per_inference": 100, "latency_cycles": 300, "inferences_per_second": 2e5,
    "macs_per_inference": 7, "digest": "d", "fmax_mhz": 21.5, "link_inferences_per_second": 1e3, "seed": 2,
    "sha256": "s",
}  # fmt: skip


def test_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def built(design: Any, folder: Path, **options: Any) -> dict[str, Any]:
        asked.append(options)
        if design.plan.board == "ulx3s-85f":
            raise ToolError("nextpnr failed")
        return REPORT

    monkeypatch.setattr(points, "build_design", built)
    rows = bnnhw.explore([MODEL], boards=["icebreaker", "ulx3s-85f"], fps=[1000], clock_mhz=20, build=True, seeds=3)
    assert asked[0]["seeds"] == 3 and asked[0]["clock_mhz"] == 20 and asked[0]["jobs"] == 1
    assert [row["outcome"] for row in rows] == ["built", "failed"]
    row = rows[0]
    assert (row["lut4"], row["seed"], row["bitstream_sha256"], row["latency_us"]) == (1, 2, "s", 15.0)
    assert rows[1]["reason"] == "nextpnr failed" and not has_figures(rows[1])


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({}, InputError, "one of --board and --part is required"),
        ({"boards": ["icebraker"]}, InputError, "did you mean icebreaker"),
        ({"parts": ["ecp5-24f"]}, InputError, "unknown part"),
        ({"parts": ["ecp5-25f"], "build": True}, InputError, "--build makes bitstreams"),
        ({"boards": ["icebreaker"], "seeds": 2}, InputError, "--seeds is how many routes"),
        ({"boards": ["icebreaker"], "clock_mhz": 1e9}, PlanError, "--clock-mhz must be"),
        ({"boards": ["icebreaker"], "foldings": ["nowhere.json"]}, InputError, "nowhere.json"),
        ({"boards": ["icebreaker"], "accuracy": "nowhere.npz"}, InputError, "nowhere.npz"),
        ({"boards": ["nowhere.py"]}, InputError, "nowhere.py"),
    ],
)
def test_wrong_arguments(tmp_path: Path, options: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        bnnhw.explore([MODEL], folder=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_two_boards_of_one_name(tmp_path: Path) -> None:
    board = board_of_ours(tmp_path)
    (tmp_path / "again").mkdir()
    with pytest.raises(InputError, match=r"ours\.py: another board here is called ours, too"):
        bnnhw.explore([MODEL], boards=[str(board), str(board_of_ours(tmp_path / "again"))])


def test_no_model_and_one_that_is_not_there() -> None:
    with pytest.raises(InputError, match="no model to explore"):
        bnnhw.explore([], boards=["icebreaker"])
    with pytest.raises(InputError, match="did you mean digits-binary"):
        bnnhw.explore(["digits-binry"], boards=["icebreaker"])
