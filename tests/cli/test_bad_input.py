"""Bad input of every kind: one clear error, status 2, no traceback, and nothing written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bnnhw.shipped import shipped_models
from tests.cli import mutants
from tests.cli.conftest import CLI, Outcome
from tests.data import shared

DIGITS = "digits-binary"
TFC = "models/qonnx_zoo_tfc/TFC_1W1A.onnx"
FAMILIES = {
    "bytes": mutants.damaged_bytes,
    "gzip": mutants.damaged_gzip,
    "structure": mutants.damaged_structure,
}
# Of each family and source: 3 families x (2 shipped + 1 real model) x 42 = 378 files.
PER_FAMILY = 42


def content_of(source: str) -> bytes:
    return (shared(source) if source == TFC else shipped_models()[source].file).read_bytes()


def assert_clean(outcome: Outcome, name: str) -> None:
    """An error of the user, told in short lines; or a file that is still a model."""
    if outcome.status == 0:
        assert outcome.complaints == "", name
        return
    lines = outcome.complaints.splitlines()
    assert outcome.status == 2, name
    assert lines, name
    assert lines[0].startswith("bnnhw: error: "), f"{name}: {outcome.err[:500]}"
    assert "Traceback" not in outcome.err, name
    assert all(len(line) <= 320 and line.isprintable() for line in lines), f"{name}: {outcome.err[:500]!r}"


def assert_refused_alike(cli: CLI, path: Path, name: str) -> bool:
    """`check` and `compile` agree; a refused file leaves nothing behind. Whether it was refused."""
    checked = cli("check", path)
    assert_clean(checked, name)
    if checked.status == 0:
        return False
    assert len(checked.err.splitlines()) <= 2, f"{name}: {checked.err[:500]}"
    folder = path.parent / "work"
    compiled = cli("compile", path, "--board", "icebreaker", "-o", folder)
    assert_clean(compiled, name)
    assert compiled.status == 2, name
    assert compiled.out == "", name
    assert not folder.exists(), name
    return True


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("source", [DIGITS, "digits-ternary", TFC])
def test_damaged_models(cli: CLI, tmp_path: Path, source: str, family: str) -> None:
    path = tmp_path / ("model.onnx.gz" if family == "gzip" else "model.onnx")
    rng = np.random.default_rng([len(source), len(family)])
    refused = 0
    for name, content in FAMILIES[family](content_of(source), rng, PER_FAMILY):
        path.write_bytes(content)
        refused += assert_refused_alike(cli, path, f"{source}, {name}")
    assert refused > PER_FAMILY // 4


@pytest.mark.parametrize("name", dict(mutants.foreign_files()))
def test_foreign_files(cli: CLI, tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(dict(mutants.foreign_files())[name])
    assert assert_refused_alike(cli, path, name)


def test_unknown_model_lists_the_shipped_ones(refused: CLI) -> None:
    outcome = refused("check", "no-such-model")
    assert DIGITS in outcome.err


def test_missing_file(refused: CLI, tmp_path: Path) -> None:
    assert "gone.onnx" in refused("compile", tmp_path / "gone.onnx", "--board", "icebreaker", "-o", tmp_path / "w").err


@pytest.mark.parametrize("command", ["compile", "simulate", "compare", "build", "check"])
def test_folder_that_is_no_design(refused: CLI, tmp_path: Path, command: str) -> None:
    extra = {"compile": ("--board", "icebreaker", "-o", tmp_path / "w"), "build": ("-o", tmp_path / "w")}
    outcome = refused(command, tmp_path, *extra.get(command, ()))
    assert str(tmp_path) in outcome.err
    assert "bnnhw compile" in outcome.err
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("command", ["compile", "simulate", "compare", "build"])
def test_unknown_board_tells_where_to_look(refused: CLI, tmp_path: Path, command: str) -> None:
    output = ("-o", tmp_path / "w") if command in ("compile", "build") else ()
    outcome = refused(command, DIGITS, "--board", "nope", *output)
    assert "nope" in outcome.err
    assert "see: bnnhw boards" in outcome.err
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("compile", DIGITS),
        ("compile", DIGITS, "--board", "icebreaker", "-o", "w", "--fps", "-1"),
        ("compile", DIGITS, "--board", "icebreaker", "-o", "w", "--fps", "many"),
        ("compile", DIGITS, "--board", "icebreaker", "-o", "w", "--fps", "nan"),
        ("compile", DIGITS, "--board", "icebreaker", "-o", "w", "--clock-mhz", "0"),
        ("compile", DIGITS, "--board", "icebreaker", "-o", "w", "--folding", "missing.json"),
        ("build", DIGITS, "-o", "w", "--clock-mhz", "fast"),
        ("build", DIGITS, "-o", "w", "--seed", "one"),
        ("simulate", DIGITS, "--samples", "0"),
        ("simulate", DIGITS, "--samples", "1.5"),
        ("simulate", DIGITS, "--simulator", "modelsim"),
        ("compare", DIGITS, "--levels", "reference,oracle"),
        ("compare", DIGITS, "--levels", ""),
        ("check", DIGITS, "--input-format", "float32"),
        ("infer", DIGITS, "--inputs", "missing.npz", "-o", "out.npz"),
        ("program", "missing"),
    ],
    ids=" ".join,
)
def test_wrong_arguments(
    refused: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(*arguments)
    assert list(tmp_path.iterdir()) == []


def wrong_inputs() -> dict[str, dict[str, np.ndarray]]:
    right = np.zeros((3, 64), np.float32)
    return {
        "no inputs": {"images": right},
        "nothing": {},
        "one pixel less": {"inputs": right[:, 1:]},
        "no batch axis": {"inputs": right[0]},
        "scalar": {"inputs": np.float32(1)},
        "square": {"inputs": right.reshape(3, 8, 8)},
        "text": {"inputs": np.full((3, 64), "a")},
        "complex": {"inputs": right.astype(complex)},
        "nan": {"inputs": np.full_like(right, np.nan)},
        "infinity": {"inputs": np.full_like(right, np.inf)},
        "no samples": {"inputs": right[:0]},
        "too few labels": {"inputs": right, "labels": np.zeros(2, int)},
        "labels that are no integers": {"inputs": right, "labels": np.zeros(3)},
        "objects": {"inputs": np.array([None] * 3)},
    }


@pytest.mark.parametrize("name", wrong_inputs())
def test_wrong_inputs(refused: CLI, tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **wrong_inputs()[name])
    outcome = refused("infer", DIGITS, "--inputs", path, "-o", tmp_path / "out.npz")
    assert "inputs" in outcome.err or "labels" in outcome.err
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not an archive", b"\x93NUMPY"])
def test_inputs_that_are_no_npz(refused: CLI, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    assert str(path) in refused("infer", DIGITS, "--inputs", path, "-o", tmp_path / "out.npz").err


def test_inputs_as_a_single_array(refused: CLI, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 64)))
    assert "numpy.savez" in refused("infer", DIGITS, "--inputs", tmp_path / "x.npy", "-o", tmp_path / "o.npz").err


def test_all_tensors_of_the_hardware(refused: CLI, tmp_path: Path) -> None:
    golden = shipped_models()[DIGITS].golden
    arguments = ("--inputs", golden, "-o", tmp_path / "o.npz", "--level", "netlist", "--all-tensors")
    assert "--level reference or rtl" in refused("infer", DIGITS, *arguments).err


def test_output_folder_that_is_a_file(refused: CLI, tmp_path: Path) -> None:
    (tmp_path / "w").write_text("in the way")
    assert str(tmp_path / "w") in refused("compile", DIGITS, "--board", "icebreaker", "-o", tmp_path / "w").err
    assert (tmp_path / "w").read_text() == "in the way"


def test_network_too_large_for_the_part(refused: CLI, tmp_path: Path) -> None:
    lfc = shared("models/bnn_pynq_lfcW1A1_mnist/lfcW1A1_mnist_qonnx.onnx.gz")
    outcome = refused("compile", lfc, "--board", "icebreaker", "-o", tmp_path / "w")
    assert "does not fit" in outcome.err
    assert not (tmp_path / "w").exists()


def test_frame_rate_out_of_reach(refused: CLI, tmp_path: Path) -> None:
    outcome = refused("compile", DIGITS, "--board", "icebreaker", "-o", tmp_path / "w", "--fps", "1e7")
    assert "--fps" in outcome.err
    assert not (tmp_path / "w").exists()


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import bnnhw

    folder = tmp_path_factory.mktemp("design") / "work"
    bnnhw.compile(DIGITS, board="icebreaker", folder=folder)
    return folder


def damage(folder: Path, kind: str) -> None:
    """Damages the design in `folder`."""
    plan_file, graph_file, tensors = (folder / name for name in ("plan.json", "graph.json", "tensors.npz"))
    plan = json.loads(plan_file.read_text())
    layer = plan["layers"][0]
    if kind == "cut plan":
        plan_file.write_text(plan_file.read_text()[:300])
        return
    if kind == "plan is a list":
        plan_file.write_text("[]")
        return
    if kind == "cut graph":
        graph_file.write_text(graph_file.read_text()[:300])
        return
    if kind == "no graph":
        graph_file.unlink()
        return
    if kind == "cut tensors":
        tensors.write_bytes(tensors.read_bytes()[:300])
        return
    if kind == "other tensors":
        np.savez(tensors, x=np.zeros(3))
        return
    if kind == "next schema":
        plan["schema"] += 1
    elif kind == "no layers":
        plan["layers"] = []
    elif kind == "lost layer":
        del plan["layers"][0]
    elif kind == "unknown part":
        plan["part"] = "xc7z020"
    elif kind == "edited":
        layer["pe"] += 1
    elif kind == "pe of zero":
        layer["pe"] = 0
    elif kind == "pe of text":
        layer["pe"] = "many"
    elif kind == "unknown memory":
        layer["weight_memory"] = "tape"
    elif kind == "no key":
        del layer["simd"]
    elif kind == "unknown key":
        layer["colour"] = "red"
    plan_file.write_text(json.dumps(plan))


@pytest.mark.parametrize(
    "kind",
    [
        "cut plan",
        "plan is a list",
        "cut graph",
        "no graph",
        "cut tensors",
        "other tensors",
        "next schema",
        "no layers",
        "lost layer",
        "unknown part",
        "edited",
        "pe of zero",
        "pe of text",
        "unknown memory",
        "no key",
        "unknown key",
    ],
)
def test_damaged_design(refused: CLI, tmp_path: Path, design: Path, kind: str) -> None:
    folder = tmp_path / "work"
    shutil.copytree(design, folder)
    damage(folder, kind)
    assert str(folder) in refused("compare", folder, "--samples", "2").err


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"layers": 3}', '{"layers": [{"pe": 1}]}'])
def test_folding_file_that_is_none(refused: CLI, tmp_path: Path, content: str) -> None:
    path = tmp_path / "folding.json"
    path.write_text(content)
    outcome = refused("compile", DIGITS, "--board", "icebreaker", "-o", tmp_path / "w", "--folding", path)
    assert str(path) in outcome.err


@pytest.mark.parametrize(
    ("layer", "word"),
    [
        ({"name": "nowhere", "pe": 1}, "nowhere"),
        ({"name": "node_linear", "pe": 0}, "pe"),
        ({"name": "node_linear", "pe": "four"}, "pe"),
        ({"name": "node_linear", "pe": 1000}, "pe"),
        ({"name": "node_linear", "simd": -2}, "simd"),
        ({"name": "node_linear", "simd": 1.5}, "simd"),
        ({"name": "node_linear", "weight_memory": "tape"}, "weight_memory"),
        ({"name": "node_linear", "popcount_levels": 0}, "popcount_levels"),
        ({"name": "node_linear", "pe": None}, "pe"),
    ],
)
def test_foldings_that_cannot_be(refused: CLI, tmp_path: Path, layer: dict[str, object], word: str) -> None:
    path = tmp_path / "folding.json"
    path.write_text(json.dumps({"layers": [layer]}))
    outcome = refused("compile", DIGITS, "--board", "icebreaker", "-o", tmp_path / "w", "--folding", path)
    assert word in outcome.err
    assert not (tmp_path / "w").exists()


def test_design_for_another_board(refused: CLI, design: Path) -> None:
    assert "icebreaker" in refused("simulate", design, "--board", "ulx3s").err
