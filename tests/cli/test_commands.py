"""Every command, on a shipped model: what it prints, what it writes, and its exit status."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw import host
from bnnhw.cli.building import report_text
from bnnhw.design import load_design
from bnnhw.host.protocol import Parser, encode_packet, pack_frame
from bnnhw.packets import FLAG_DAMAGED, RESULT_TRAILER, Identity, Request, Status
from bnnhw.reference import encode_inputs
from bnnhw.shipped import shipped_models
from bnnhw.toolchain.report import SCHEMA
from tests.cli.conftest import CLI
from tests.data import CNV, shared
from tests.onnx_models import Net, inputs_for, small_classifier

MODEL = "digits-binary"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A design for iCEBreaker."""
    path = tmp_path_factory.mktemp("design") / "work"
    bnnhw.compile(MODEL, board="icebreaker", folder=path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that a simulator is soon compiled for."""
    path = tmp_path_factory.mktemp("small") / "work"
    bnnhw.compile(MODEL, board="icebreaker", fps=20_000, folder=path)
    return path


def test_models(cli: CLI) -> None:
    names = {model["name"] for model in cli("models", "--json").json}
    dense = {"digits-binary", "digits-ternary", "mnist-binary", "mnist-sparse", "mnist-ternary"}
    tables = {"digits-lut", "mnist-lut-up5k", "mnist-lut-hx8k", "mnist-lut-ecp5"}
    assert names == dense | tables | {"cifar-cnv-small", "mnist-cnn"}
    text = cli("models").out
    assert all(name in text for name in names)
    assert "95.28 %" in text


def test_boards(cli: CLI) -> None:
    boards = {board["name"]: board for board in cli("boards", "--json").json}
    assert set(boards) >= {"icebreaker", "ice40-hx8k-b-evn", "ulx3s-85f"}
    assert boards["icebreaker"]["lut4"] == 5280
    assert boards["icebreaker"]["block_ram_kbit"] == 120
    assert "ice40-up5k" in cli("boards").out


def test_check_lists_nodes_and_layers(cli: CLI) -> None:
    found = cli("check", MODEL, "--json").json
    assert found["maps"]
    assert [(layer["inputs"], layer["outputs"]) for layer in found["layers"]] == [(64, 128), (128, 64), (64, 10)]
    assert all(node["ok"] for node in found["nodes"])
    text = cli("check", MODEL).out
    assert "BatchNormalization" in text
    assert "maps to hardware: 17,024 multiply-accumulates" in text


def test_check_names_layers_of_the_same_weights(cli: CLI, tmp_path: Path) -> None:
    net = Net((1, 8))
    x, weight = net.bipolar("x"), net.constant(np.sign(net.random.normal(size=(8, 8))).astype(np.float32))
    for k in range(3):
        x = net.bipolar(net.node("MatMul", x, weight if k else net.bipolar(net.weights(8, 8))))
    found = cli("check", net.save(tmp_path), "--json").json
    assert found["notes"][-1].startswith("MatMul_4, MatMul_6: layers with the same weights; each keeps them")


def test_check_says_what_does_not_map(cli: CLI, tmp_path: Path) -> None:
    net = Net((1, 4, 5, 6))
    net.node("ConvTranspose", net.quant("x"), net.bipolar(net.weights(4, 2, 2, 2)))
    path = net.save(tmp_path)
    outcome = cli("check", path)
    assert outcome.status == 2
    assert "NOT POSSIBLE: " in outcome.out and "use Conv" in outcome.out
    assert outcome.err.startswith(f"bnnhw: error: {path}: 1 of ")
    assert outcome.err.endswith(" nodes do not map to hardware, as listed\n")
    outcome = cli("check", path, "--json")
    assert outcome.status == 2
    assert not outcome.json["maps"]


def test_output_tensor(cli: CLI, tmp_path: Path, folder: Path) -> None:
    """Of a file with two outputs, the second is asked for, at two levels; a compiled design has but one."""
    net = small_classifier()
    hidden, last = net.nodes[-4].output[0], net.nodes[-1].output[0]
    path, x, out = net.save(tmp_path, last, hidden), tmp_path / "x.npz", tmp_path / "out.npz"
    np.savez(x, inputs=inputs_for(net))
    assert f"note: output '{last}' is the answer, and '{hidden}' not computed" in cli("check", path).out
    for level in ("reference", "source"):
        cli("infer", path, "--inputs", x, "-o", out, "--level", level, "--output-tensor", hidden)
        assert np.load(out)["outputs"].shape == (8, 8)
    refused = cli("infer", folder, "--inputs", x, "-o", out, "--output-tensor", hidden)
    assert refused.status == 2 and "give --output-tensor with the model" in refused.err


@pytest.mark.parametrize("file", ["cnvW1A2_cifar10_qonnx.onnx.gz", "cnvW1A2_cifar10_params.tar.gz"])
def test_check_lists_a_published_cnv(cli: CLI, file: str) -> None:
    found = cli("check", shared(f"{CNV}/{file}"), "--json").json
    assert found["maps"]
    assert [layer["kind"] for layer in found["layers"]].count("pool") == 2
    assert sum(layer["macs"] for layer in found["layers"]) == 59_461_376


def test_compile_writes_the_design(cli: CLI, tmp_path: Path) -> None:
    work = tmp_path / "work"
    estimate = cli("compile", MODEL, "--board", "ICEBREAKER", "-o", work, "--json").json
    assert {path.name for path in work.iterdir()} == {
        "graph.json",
        "tensors.npz",
        "plan.json",
        "estimate.json",
        "accelerator.v",
    }
    assert json.loads((work / "estimate.json").read_text()) == estimate
    plan = json.loads((work / "plan.json").read_text())
    assert (plan["model"], plan["board"]) == (MODEL, "icebreaker")
    assert all(
        "schema" in json.loads((work / name).read_text()) for name in ("graph.json", "plan.json", "estimate.json")
    )


def test_compile_again_gives_the_same_files(cli: CLI, folder: Path, tmp_path: Path) -> None:
    assert cli("compile", MODEL, "--board", "icebreaker", "-o", tmp_path).status == 0
    for name in ("graph.json", "plan.json", "estimate.json", "accelerator.v"):
        assert (tmp_path / name).read_text() == (folder / name).read_text()


def test_edited_plan_is_fed_back(cli: CLI, folder: Path, tmp_path: Path) -> None:
    plan = json.loads((folder / "plan.json").read_text())
    for layer in plan["layers"]:
        layer.update(pe=3, simd=5)
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    out = tmp_path / "work"
    folding = ("--folding", tmp_path / "plan.json")
    estimate = cli("compile", MODEL, "--board", "icebreaker", "-o", out, *folding, "--json").json
    assert [(layer["pe"], layer["simd"]) for layer in estimate["layers"]] == [(3, 5)] * 3


def test_frame_rate_is_met_with_less_area(cli: CLI, folder: Path, tmp_path: Path) -> None:
    options = ("--fps", "10000", "--clock-mhz", "12")
    slow = cli("compile", MODEL, "--board", "icebreaker", "-o", tmp_path, *options, "--json").json
    fast = json.loads((folder / "estimate.json").read_text())
    assert slow["inferences_per_second"] >= 10000
    assert slow["utilization"]["lut4"]["used"] < fast["utilization"]["lut4"]["used"]


def test_infer_equals_another_executor(cli: CLI, tmp_path: Path, folder: Path) -> None:
    golden = np.load(shipped_models()[MODEL].golden)
    for work in (MODEL, folder):
        out = tmp_path / "out.npz"
        arguments = ("--inputs", shipped_models()[MODEL].golden, "-o", out, "--all-tensors", "--json")
        listed = cli("infer", work, *arguments).json
        answers = np.load(out)
        assert {array["name"] for array in listed["arrays"]} == set(answers)
        assert answers["outputs"].dtype == np.float32
        for name in set(golden) - {"inputs", "labels"}:
            np.testing.assert_array_equal(answers[name], golden[name], err_msg=name)


@pytest.mark.sim
def test_infer_at_the_hardware(cli: CLI, tmp_path: Path, small: Path) -> None:
    golden = np.load(shipped_models()[MODEL].golden)
    np.savez(tmp_path / "x.npz", inputs=golden["inputs"][:5])
    assert (
        "outputs" in cli("infer", small, "--inputs", tmp_path / "x.npz", "-o", tmp_path / "o.npz", "--level", "rtl").out
    )
    answers = np.load(tmp_path / "o.npz")
    np.testing.assert_array_equal(answers["outputs"], golden["outputs"][:5])
    np.testing.assert_array_equal(answers["integers"], golden["acc2"][:5])
    np.testing.assert_array_equal(answers["prediction"], golden["prediction"][:5])


@pytest.mark.sim
def test_simulate(cli: CLI, tmp_path: Path, small: Path) -> None:
    result = cli("simulate", small, "--samples", "6", "--json").json
    golden = np.load(shipped_models()[MODEL].golden)
    assert result["prediction"] == golden["prediction"][:6].tolist()
    estimate = json.loads((small / "estimate.json").read_text())
    assert result["cycles_per_inference"] == estimate["cycles_per_inference"]
    assert result["latency_cycles"] == estimate["latency_cycles"]
    text = cli("simulate", small, "--samples", "6").out
    assert "cycles per inference" in text


@pytest.mark.sim
def test_simulate_leaves_a_waveform(cli: CLI, tmp_path: Path, small: Path) -> None:
    outcome = cli("simulate", small, "--samples", "1", "--waves", tmp_path / "waves.vcd")
    assert "waveform in" in outcome.out
    assert "$enddefinitions" in (tmp_path / "waves.vcd").read_text()[:2_000_000]


@pytest.mark.sim
def test_compare(cli: CLI, small: Path) -> None:
    outcome = cli("compare", small, "--samples", "20", "--json")
    assert outcome.status == 0
    levels = outcome.json["levels"]
    assert set(levels) == {"reference", "rtl"}
    assert outcome.json["mismatches"] == 0
    assert "golden values" in levels["reference"]["against"]
    assert json.loads((small / "compare.json").read_text()) == outcome.json
    assert "no mismatch" in cli("compare", small, "--samples", "20", "--levels", "reference").out


def test_mismatch_exits_1(cli: CLI, tmp_path: Path) -> None:
    golden = dict(np.load(shipped_models()[MODEL].golden))
    golden["acc1"][3, 7] += 2
    golden["prediction"][4] = 9
    np.savez(tmp_path / "x.npz", **golden)
    outcome = cli("compare", MODEL, "--inputs", tmp_path / "x.npz", "--levels", "reference")
    assert outcome.status == 1
    assert "2 mismatches" in outcome.out
    assert "golden acc1, sample 3, element [7]" in outcome.out


TAKEN = {"lut4": 1000, "ff": 500, "block_ram": 3, "spram": 0, "dsp": 0}
REPORT = {
    "model": "m",
    "board": "icebreaker",
    "part": "ice40-up5k",
    "bitstream": "icebreaker.bin",
    "weights": None,
    "clock_mhz": 20.0,
    "fmax_mhz": 21.5,
    "seed": 2,
    "fmax_mhz_by_seed": {"1": 20.25, "2": 21.5, "3": None},
    "utilization": {key: {"used": used, "available": 5280} for key, used in TAKEN.items()},
    "accuracy": None,
    "critical_path": None,
    "layers": [{"name": "a", "pe": 2}],
    "area": {"layers": [{"name": "a", "cycles": 90, **TAKEN}], "frames": TAKEN, "board": TAKEN},
    "cycles_per_inference": 100,
    "latency_cycles": 300,
    "inferences_per_second": 200000.0,
    "link": {"baud": 3_000_000, "lift": "a clock of 48 MHz for the link"},
    "link_inferences_per_second": 3000.0,
    "macs_per_cycle": 120.0,
    "efficiency": 0.25,
}


def test_report_text() -> None:
    text = report_text(REPORT)
    assert "20.00 MHz of 21.50 MHz" in text
    assert "20.25 to 21.50 MHz with 2 seeds, best with 2" in text
    assert "cycle model" not in text
    assert "of the cycle model: there is no C++ compiler" in report_text({**REPORT, "cycles_from": "cycle model"})
    assert "seeds" not in report_text({**REPORT, "fmax_mhz_by_seed": {"2": 21.5}})
    assert "1,000 of 5,280 (19 %)" in text
    (layer,) = (line.split() for line in text.splitlines() if line.startswith("a "))
    assert layer == ["a", "2", "-", "90", "1,000", "500", "3"]
    assert "3,000 at 3,000,000 baud" in text and "faster with" in text and "a clock of 48 MHz for the link" in text
    assert "faster with" not in report_text({**REPORT, "link": {"baud": 3_000_000, "lift": None}})
    assert "accuracy" not in text and "limited by" not in text
    assert "120, 25.00 % of the part's limit" in text


def test_build_passes_its_options(cli: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def build(work: object, **options: object) -> dict[str, object]:
        asked.update(work=work, **options)
        return REPORT

    monkeypatch.setattr(bnnhw, "build", build)
    assert cli("build", MODEL, "--board", "icebreaker", "-o", tmp_path, "--clock-mhz", "max", "--json").json == REPORT
    assert (asked["work"], asked["board"], asked["clock_mhz"], asked["seed"]) == (MODEL, "icebreaker", None, 1)
    assert asked["seeds"] == 4
    cli("build", MODEL, "--board", "icebreaker", "-o", tmp_path, "--clock-mhz", "12.5", "--seed", "3", "--jobs", "2")
    assert (asked["clock_mhz"], asked["seed"], asked["seeds"], asked["jobs"]) == (12.5, 3, 1, 2)
    cli("build", MODEL, "--board", "icebreaker", "-o", tmp_path, "--clock-mhz", "max", "--seeds", "9")
    assert (asked["clock_mhz"], asked["seeds"], asked["jobs"]) == (None, 9, None)


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for a programmer is a shell script")
def test_program_calls_the_programmer(cli: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"schema": SCHEMA, "board": "icebreaker", "sha256": hashlib.sha256(b"bits").hexdigest()}
    (tmp_path / "report.json").write_text(json.dumps(content))
    (tmp_path / "icebreaker.bin").write_bytes(b"bits")
    programmer = tmp_path / "iceprog"
    programmer.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n')
    programmer.chmod(0o755)
    monkeypatch.setenv("ICEPROG", str(programmer))
    assert cli("program", tmp_path).out == f"loaded {tmp_path}\n"
    assert "icebreaker.bin" in (tmp_path / "called").read_text()


class Board:
    """A serial port with a board behind it that has learnt the right answers by heart."""

    timeout: float | None = None
    baudrate = 1_000_000

    def __init__(self, folder: Path) -> None:
        design = load_design(folder)
        plan = design.plan
        self._golden = np.load(shipped_models()[MODEL].golden)
        codes = plan.input_dtype.encode(encode_inputs(design.graph, self._golden["inputs"]))
        self._samples = {pack_frame(frame, plan.input_dtype.bits): k for k, frame in enumerate(codes)}
        sizes = (plan.input_elements, plan.input_dtype.bits, plan.input_simd, plan.output_frames.elements, 2, 4)
        self._identity = Identity(bytes.fromhex(plan.digest), *sizes)
        self._parser = Parser()
        self._answers = b""
        self.damaged = False

    @property
    def in_waiting(self) -> int:
        return len(self._answers)

    def read(self, size: int = 1, /) -> bytes:
        answer, self._answers = self._answers[:size], self._answers[size:]
        return answer

    def close(self) -> None:
        pass

    def write(self, content: bytes, /) -> None:
        for packet in self._parser.feed(content):
            if packet.kind == Request.IDENTIFY:
                self._answers += encode_packet(Status.IDENTITY, packet.sequence, self._identity.pack())
                continue
            sample = self._samples[packet.payload]
            integers = self._golden["acc2"][sample].astype("<i2").tobytes()
            trailer = RESULT_TRAILER.pack(self._golden["prediction"][sample], FLAG_DAMAGED if self.damaged else 0)
            self._answers += encode_packet(Status.RESULT, packet.sequence, integers + trailer)


@pytest.fixture
def board(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    found = Board(folder)
    monkeypatch.setattr(host, "open_port", lambda name: found)
    return found


def test_run_on_a_board(cli: CLI, tmp_path: Path, folder: Path, board: Board) -> None:
    result = cli("run", folder, "--port", "any", "--samples", "9", "-o", tmp_path / "o.npz", "--json").json
    golden = np.load(shipped_models()[MODEL].golden)
    assert result["prediction"] == golden["prediction"][:9].tolist()
    np.testing.assert_array_equal(np.load(tmp_path / "o.npz")["outputs"], golden["outputs"][:9])
    assert "accuracy" in cli("run", folder, "--port", "any").out


def test_run_takes_the_only_board(cli: CLI, folder: Path, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = load_design(folder).plan.digest
    monkeypatch.setattr(host, "only_board", lambda wanted: {digest: "COM4"}[wanted.hex()])
    assert cli("run", folder, "--samples", "2", "--json").json["samples"] == 2


def test_ports(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "find_ports", lambda: [])
    assert cli("ports").out == "there is no serial port\n"
    found = [host.FoundPort("COM4", "FT2232H"), host.FoundPort("COM5", "FT231X", problem="taken")]
    monkeypatch.setattr(host, "find_ports", lambda: found)
    assert [line.split()[0] for line in cli("ports").out.splitlines()] == ["port", "COM4", "COM5"]
    assert [(port["port"], port["answer"]) for port in cli("ports", "--json").json] == [
        ("COM4", "nothing of bnnhw answers"),
        ("COM5", "taken"),
    ]


def test_run_on_a_board_with_another_design(refused: CLI, tmp_path: Path, board: Board) -> None:
    bnnhw.compile("digits-ternary", board="icebreaker", folder=tmp_path)
    assert "another design" in refused("run", tmp_path, "--port", "any").err


def test_run_on_a_board_that_finds_damage(refused: CLI, folder: Path, board: Board) -> None:
    board.damaged = True
    assert "damaged" in refused("run", folder, "--port", "any", "--samples", "2").err


def test_run_without_a_board(refused: CLI, folder: Path, tmp_path: Path) -> None:
    assert "cannot open the port" in refused("run", folder, "--port", tmp_path / "none").err


@pytest.mark.end2end
@pytest.mark.synth
def test_demo_says_nothing_but_json_when_asked(cli: CLI, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("kept")
    result = cli("demo", "-o", tmp_path / "demo", "--json").json
    assert result["comparison"]["mismatches"] == 0
    assert len(result["seconds"]) == 5
    assert result["report"]["clock_mhz"] <= result["report"]["fmax_mhz"]
    assert (tmp_path / "demo" / "icebreaker.bin").stat().st_size > 100_000
    assert (tmp_path / "demo" / "mine.txt").read_text() == "kept"


COMMANDS = (
    "models",
    "boards",
    "demo",
    "check",
    "compile",
    "simulate",
    "compare",
    "infer",
    "build",
    "report",
    "program",
    "run",
    "serve",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(cli: CLI, command: str) -> None:
    outcome = cli(command, "--help")
    assert outcome.status == 0
    assert f"usage: bnnhw {command}" in outcome.out
    assert "--json" in outcome.out


def test_help_lists_all_commands(cli: CLI) -> None:
    text = cli("--help").out
    assert all(command in text for command in COMMANDS)


def test_guide_describes_all_commands() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    assert all(f"## {command}" in guide for command in COMMANDS)


def test_version(cli: CLI) -> None:
    assert cli("--version").out.startswith("bnnhw ")
