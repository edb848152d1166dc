"""Accelerator -> Verilog, and other gateware by way of RTLIL."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from bnnhw.dataflow import Network, Plan
from bnnhw.toolchain import flow

ELABORATED, WRITTEN = "elaborated.il", "written.v"
# What Amaranth says of a netlist to the tools; Verilog is for readers.
NOTES = ("generator", "top", "src", "amaranth.hierarchy", "amaranth.decoding")


# What Verilator's -Wall says of any netlist in one file, and nobody is to change; a reader's own files are not touched.
SILENCED = {
    "CMPCONST": "a comparison that the sizes of this design decide",
    "DECLFILENAME": "one file holds all modules",
    "PROCASSINIT": "registers have values from the configuration of the FPGA",
    "UNUSEDSIGNAL": "bits of a sum or a port that nothing reads",
    "WIDTHEXPAND": "operands are extended as the language says",
    "WIDTHTRUNC": "`!` of a number means that it is zero",
}
# Between the names of a module and of what is inside: a prefix has it nowhere, so two packages share no module.
INSIDE = "__"

# Of a module, and of an instance of one; Yosys' own cells begin with a dollar sign.
_MODULE_NAME = re.compile(r"^(module|  cell) \\(\S+)", re.MULTILINE)


def accelerator_verilog(plan: Plan, network: Network) -> str:
    """The module ``accelerator`` as Verilog 2005: ports ``clk``, ``rst``, ``i__payload``, ``i__valid``, ``i__ready``
    and so on.

    Raises
    ------
    ToolError
        If Yosys is missing or fails.
    """
    from bnnhw.generate.accelerator import Accelerator  # Amaranth takes long to import
    from bnnhw.generate.rtlil import rtlil

    return verilog(rtlil(Accelerator(plan, network), "accelerator"))


def verilog(rtlil: str) -> str:
    """The modules of `rtlil` as Verilog 2005.

    Raises
    ------
    ToolError
        If Yosys is missing or fails.
    """
    return _written(rtlil, "proc -nomux -norom", "memory_collect")


def _written(rtlil: str, *steps: str) -> str:
    """The modules of `rtlil` after these `steps` of Yosys, as Verilog."""
    without = "attrmap " + " ".join(f"-remove {note}" for note in NOTES)
    with tempfile.TemporaryDirectory(prefix="bnnhw-verilog-") as name:
        folder = Path(name)
        (folder / ELABORATED).write_text(rtlil)
        flow.run_yosys(
            folder,
            f"read_rtlil {ELABORATED}",
            *steps,
            without,
            without.replace("attrmap", "attrmap -modattr"),
            f"write_verilog -norename {WRITTEN}",
        )
        return (folder / WRITTEN).read_text()


def portable_verilog(rtlil: str, prefix: str) -> str:
    """The modules of `rtlil` as Verilog-2001 for tools of any maker: plain names of modules, all with the `prefix`.

    Parameters
    ----------
    rtlil
        The module `prefix`, and those that it holds, named ``<prefix>.<name>``.

    Raises
    ------
    ToolError
        If Yosys is missing or fails.
    """
    names: dict[str, str] = {}

    def plain(match: re.Match[str]) -> str:
        name = match[2]
        if name not in names:
            inside = re.sub(r"\W", "_", name.removeprefix(prefix).lstrip("."))
            wanted = prefix + INSIDE + inside if inside else prefix
            while wanted in names.values():
                wanted += "_"
            names[name] = wanted
        return f"{match[1]} \\{names[name]}"

    text = _written(
        _MODULE_NAME.sub(plain, rtlil),
        f"hierarchy -check -top {prefix}",
        "proc",
        "pmuxtree",
        "memory_collect",
        "opt_clean -purge",
    )
    off = "\n".join(f"// verilator lint_off {rule}  // {why}" for rule, why in SILENCED.items())
    return f"// verilator lint_save\n{off}\n{text}// verilator lint_restore\n"
