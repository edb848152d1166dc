"""Records of streams: what was taken when, and the waveform of a part."""

from __future__ import annotations

from pathlib import Path

from bnnhw.verify.record import Change, Record

TEXT = """\
stream 0 4 i
stream 1 9 unit.o
0 0 0Z
2 0 11 a
4 0 10 b
6 0 11 b
7 0 11 x
1 1 01
"""


def test_transfers() -> None:
    record = Record.of(TEXT, 9)
    i, o = record.streams["i"], record.streams["unit.o"]
    assert (i.width, o.width) == (4, 9)
    assert i.changes[0] == Change(0, "0", "Z", None)
    # Held without a change, a beat is taken in each cycle; while it is not ready, in none.
    assert list(i.transfers(record.cycles)) == [(2, 10), (3, 10), (6, 11), (7, None), (8, None)]
    assert list(o.transfers(record.cycles)) == []


def test_window(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "w.vcd"
    Record.of(TEXT, 9).write_window(path, 3, 6)
    head, body = path.read_text().split("$enddefinitions $end\n")
    assert "$var wire 4 p0 i__payload $end" in head
    assert "$scope module unit $end\n$var wire 1 v1 o__valid $end" in head
    steps = body.split("#")
    # What it showed before is there from the start; a change comes with the cycle that it was seen in.
    assert steps[1].split("\n")[0] == "6"
    assert "b1010 p0" in steps[1] and "0v1" in steps[1]
    changed = [step.split("\n")[0] for step in steps if "p0" in step]
    assert changed == ["6", "8", "12"]
    assert steps[-1] == "14\n0c\n"


def test_window_beyond_the_ends(tmp_path: Path) -> None:
    Record.of(TEXT, 9).write_window(tmp_path / "w.vcd", -5, 50)
    steps = (tmp_path / "w.vcd").read_text().split("#")
    assert steps[1].startswith("0\n") and steps[-1].startswith("18\n")
