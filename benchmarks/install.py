"""What `pip install bnnhw` takes of a disk, extra by extra: a line of README.md.

Each is installed into a fresh environment from the package index that pip is set to. Bytes are those of all files,
with the byte code that Python compiles; pip itself is not among them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from benchmarks.pages import ROOT, put

PAGE = "README.md"
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def installed(extra: str, folder: Path) -> tuple[int, int]:
    """How many packages an extra of the checkout brings, "" for none, and how many bytes they take."""
    venv.create(folder, with_pip=False)
    what = f"{ROOT}[{extra}]" if extra else str(ROOT)
    subprocess.run([*PIP, "--python", str(folder / "bin" / "python"), "install", "--compile", what], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file())
    return len([*packages.glob("*.dist-info")]), size


def line(found: dict[str, tuple[int, int]]) -> str:
    """The sentence."""
    (light, light_bytes), (whole, whole_bytes) = found[""], found["all"]
    return (
        f"That is {light} packages of {light_bytes / 1e6:.0f} MB in all, numpy included; `bnnhw[all]` is {whole} of "
        f"{whole_bytes / 1e6:,.0f} MB.\n"
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    pass


def run(options: argparse.Namespace) -> int:
    found = {}
    for extra in ("", "all"):
        with tempfile.TemporaryDirectory() as folder:
            found[extra] = installed(extra, Path(folder))
        print(extra or "light", *found[extra], flush=True)
    put(PAGE, "install", line(found))
    return 0
