"""Whether a fault in a netlist makes no difference, by yosys' proof of equivalence.

All registers and wires with a name, in the netlist with the fault and in the one without, are shown to stay equal once
they have been equal for a few cycles (`equiv_induct`); that they are at first, the simulations show. A fault may make
no difference to what comes out and still fail: registers inside must be the same as well.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bnnhw.errors import ToolError
from bnnhw.toolchain import tools
from campaigns.mutation.netlist import PREPARE

SCRIPT = """\
{prepare}
design -stash clean
design -copy-from clean -as gold accelerator
design -copy-from clean -as gate accelerator
{mutate}
memory_map gold gate
opt_clean
equiv_make gold gate equiv
hierarchy -top equiv
opt_clean
equiv_struct
equiv_simple -undef -seq 2
equiv_induct -undef -seq 4
equiv_status -assert
"""


def equal(text: str, command: str) -> bool:
    """Whether the netlist `text` (RTLIL) is the same after `command`, a line of `mutate`, its control left out."""
    words = command.split()
    at = words.index("-ctrl")
    mutate = " ".join(words[:at] + words[at + 4 :]).replace("-module accelerator", "-module gate")
    with tempfile.TemporaryDirectory(prefix="bnnhw-equal-") as scratch:
        folder = Path(scratch)
        (folder / "design.il").write_text(text)
        (folder / "equal.ys").write_text(SCRIPT.format(prepare=PREPARE, mutate=mutate))
        try:
            tools.run(tools.YOSYS, ["-q", "equal.ys"], folder)
        except ToolError:
            return False
        return True
