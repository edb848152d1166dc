"""The wheel, built from the tree and used far from it: it must do everything that the checkout does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.cli.test_serve import serving
from tests.verify.boards import design, samples

ROOT = Path(__file__).resolve().parents[1]
MODEL = "digits-binary"

pytestmark = pytest.mark.end2end


def call(*command: object, folder: Path) -> str:
    """Runs `command` in `folder`, free of the surrounding Python environment; its stdout."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    call(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT, folder=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The ``bin`` of a fresh environment that holds the wheel; only its dependencies come from this one."""
    folder = wheel.parent
    venv.create(folder / "env", symlinks=True)
    python = folder / "env" / "bin" / "python"
    call(*PIP, "--python", python, "install", "--no-deps", wheel, folder=folder)
    packages = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip())
    # After the environment's own packages on the path, so that bnnhw itself cannot come from there.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for script in Path(sysconfig.get_path("scripts")).glob("yowasp-*"):
        (python.parent / script.name).symlink_to(script)
    return python.parent


def test_wheel_is_typed_and_holds_what_is_shipped(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert "bnnhw/py.typed" in names
    assert {name.split("/")[0] for name in names} == {
        "bnnhw",
        next(name for name in names if ".dist-info" in name).split("/")[0],
    }
    assert {name.split("/")[2] for name in names if name.startswith("bnnhw/_shipped/")} == {"boards", "models", "sim"}


def bnnhw(installed: Path, *arguments: object, folder: Path) -> str:
    return call(installed / "bnnhw", *arguments, folder=folder)


def test_package_comes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    where = call(installed / "python", "-c", "import bnnhw; print(bnnhw.__file__)", folder=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)


def test_lists_what_is_shipped(installed: Path, tmp_path: Path) -> None:
    models = json.loads(bnnhw(installed, "models", "--json", folder=tmp_path))
    boards = json.loads(bnnhw(installed, "boards", "--json", folder=tmp_path))
    assert MODEL in {model["name"] for model in models}
    assert "icebreaker" in {board["name"] for board in boards}


def test_from_the_file_to_the_bitstream(installed: Path, tmp_path: Path) -> None:
    """Each step by itself; the whole in one go is `tests.cli.test_commands`' demo."""
    assert json.loads(bnnhw(installed, "check", MODEL, "--json", folder=tmp_path))["maps"]
    bnnhw(installed, "compile", MODEL, "--board", "icebreaker", "--fps", "20000", "-o", "work", folder=tmp_path)
    assert "module accelerator" in (tmp_path / "work" / "accelerator.v").read_text()
    assert "no mismatch" in bnnhw(installed, "compare", "work", "--samples", "3", folder=tmp_path)
    bnnhw(installed, "build", "work", "-o", "work", folder=tmp_path)
    report = json.loads((tmp_path / "work" / "report.json").read_text())
    assert (report["board"], report["cycles_from"]) == ("icebreaker", "simulation")
    assert (tmp_path / "work" / report["bitstream"]).stat().st_size > 100_000


@pytest.mark.slow
def test_the_light_part_alone(wheel: Path, tmp_path: Path) -> None:
    """A fresh environment with what pip installs of it: it runs a board, and takes little space."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    call(*PIP, "--python", python, "install", wheel, folder=tmp_path)
    packages = Path(
        call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=tmp_path).strip()
    )
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file())
    assert {path.name for path in packages.glob("*.dist-info")} and not (packages / "amaranth").exists()
    design().save(tmp_path / "work")
    with serving(tmp_path / "work") as (_, name):
        run = (python.parent / "bnnhw", "run", "work", "--port", name, "--samples", "20", "--timeout", "600", "--json")
        done = json.loads(call(*run, folder=tmp_path))
    assert done["prediction"] == samples().labels[:20].tolist()
    assert size < 150e6
