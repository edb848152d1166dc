"""What `pip install bnnhw` takes of a disk: a sentence of README.md.

The checkout is installed without extras into a fresh environment, from the package index that pip is set to. Bytes are
those of all files, with the byte code that Python compiles; pip itself is not among them.
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


def installed(folder: Path) -> tuple[int, int]:
    """How many packages an environment in `folder` holds after the installation, and how many bytes they take."""
    venv.create(folder, with_pip=False)
    subprocess.run([*PIP, "--python", str(folder / "bin" / "python"), "install", "--compile", str(ROOT)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file())
    return len([*packages.glob("*.dist-info")]), size


def sentence(count: int, size: int) -> str:
    """What the page says of it."""
    return f"That is {count} packages of {size / 1e6:.0f} MB in all, numpy included.\n"


def add_options(parser: argparse.ArgumentParser) -> None:
    pass


def run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as folder:
        put(PAGE, "install", sentence(*installed(Path(folder))))
    return 0
