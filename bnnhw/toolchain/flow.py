"""From a board's top to its bitstream: synthesis, place and route, the PLL's dividers, packing.

Everything happens in one folder, under fixed file names, with relative paths only.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnnhw.artifacts import ROUTE_LOG, ROUTE_REPORT, SYNTHESIS_LOG
from bnnhw.errors import PlanError, ToolError
from bnnhw.parts import Part
from bnnhw.toolchain import carry_cells, tools
from bnnhw.toolchain.block_ram import ice40_techmap
from bnnhw.toolchain.boards import Board

NETLIST, STATISTICS = "top.json", "stat.json"
ROUTED, CONFIGURATION = "routed.json", "top.config"

# What the placer calls what a part has; where a family has none of something, or it is part of something else, nothing.
CELLS = {
    "ice40": {"lut4": "ICESTORM_LC", "block_ram": "ICESTORM_RAM", "spram": "ICESTORM_SPRAM", "dsp": "ICESTORM_DSP"},
    "ecp5": {"lut4": "TRELLIS_COMB", "ff": "TRELLIS_FF", "block_ram": "DP16KD", "dsp": "MULT18X18D"},
}

# LUTs of designs of ECP5 that are placed and routed in other ways than small ones.
LARGE, VERY_LARGE = 5_000, 20_000

TECHMAP, CARRY_CELLS = "techmap.v", "carry_cells.v"
CONSTRAINTS = {"ice40": "top.pcf", "ecp5": "top.lpf"}


def synthesis(part: Part) -> str:
    """The command of yosys that synthesises for `part`."""
    if part.family == "ecp5":
        # Wide multiplexers made of LUT4 pairs nearly double the area of popcounts.
        return "synth_ecp5 -nowidelut"
    return f"synth_ice40 -device {part.ice40_device}{' -dsp' if part.dsp else ''}"


@dataclass(frozen=True)
class Timing:
    """What the router says about the clocks.

    Parameters
    ----------
    accel_mhz
        The highest frequency of the accelerator's clock.
    link_mhz
        The highest frequency of the host link's.
    """

    accel_mhz: float
    link_mhz: float


def elaborate(top: Any, board: Board, folder: Path) -> None:
    """Writes the board's top as RTLIL, with the constraints of its pins and clocks."""
    from bnnhw.generate.rtlil import modules_apart  # Amaranth takes long to import

    platform = board.platform()
    with modules_apart("top", platform) as modules:
        # Without source locations, the netlist does not depend on where bnnhw is installed.
        plan = platform.build(top, name="top", do_build=False, emit_src=False)
    (folder / "top.il").write_text("\n".join([plan.files["top.il"], *modules]))
    constraints = CONSTRAINTS[board.device.family]
    (folder / constraints).write_text(plan.files[constraints])


def synthesize(board: Board, folder: Path) -> None:
    """RTLIL -> netlist.

    Raises
    ------
    ToolError
        If yosys is missing or fails.
    """
    run_yosys(
        folder,
        "read_rtlil top.il",
        *synthesis_steps(board.device, "top", folder),
        f"write_json {NETLIST}",
        f"tee -q -o {STATISTICS} stat -json",
    )


def synthesis_steps(part: Part, top: str, folder: Path) -> list[str]:
    """The commands of yosys from a module `top` to cells of `part`; the files that they read are left in `folder`."""
    command = f"{synthesis(part)} -top {top}"
    if part.family == "ecp5":
        (folder / CARRY_CELLS).write_text(carry_cells.declaration())
        (folder / TECHMAP).write_text(carry_cells.ecp5_techmap())
        return [f"read_verilog {CARRY_CELLS}", command, f"techmap -map {TECHMAP}", "opt_clean"]
    (folder / CARRY_CELLS).write_text(carry_cells.ice40_techmap())
    (folder / TECHMAP).write_text(ice40_techmap())
    return [
        f"{command} -run begin:map_ram",
        "memory_libmap -lib +/ice40/brams.txt",
        f"techmap -map {TECHMAP}",
        f"{command} -run map_ffram:",
        f"techmap -map {CARRY_CELLS}",
        "opt_clean",
    ]


def run_yosys(folder: Path, *script: str) -> None:
    """Runs the commands of `script` in `folder`.

    Raises
    ------
    ToolError
        If yosys is missing or fails.
    """
    (folder / "top.ys").write_text("\n".join(script) + "\n")
    tools.run(tools.YOSYS, ["-q", "-l", SYNTHESIS_LOG, "top.ys"], folder)


def route(board: Board, folder: Path, *, seed: int, heard: Callable[[str], None] = lambda line: None) -> Timing:
    """Netlist -> routed design and its report, whatever its timing is, in a folder of the seed's own: see `keep`.

    Parameters
    ----------
    heard
        Called with every line that nextpnr prints.

    Raises
    ------
    PlanError
        If the design is too large for the part.
    ToolError
        If nextpnr is missing or fails otherwise.
    """
    family = board.device.family
    tool = tools.NEXTPNR[family]
    constraints = {"ice40": "--pcf", "ecp5": "--lpf"}[family]
    own = f"seed{seed}"
    (folder / own).mkdir(exist_ok=True)
    written = {"--asc" if family == "ice40" else "--textcfg": CONFIGURATION, "--write": ROUTED}
    results = [word for option, name in written.items() for word in (option, f"{own}/{name}")]
    common = [*board.nextpnr, *_effort(family, folder), "--json", NETLIST, constraints, CONSTRAINTS[family]]
    common += ["--report", f"{own}/{ROUTE_REPORT}"]
    arguments = [*common, *results, "--log", f"{own}/{ROUTE_LOG}", "--seed", str(seed), "--timing-allow-fail"]
    try:
        tools.run(tool, arguments, folder, heard=heard)
    except ToolError:
        # Without a placement there is no report, so ask again what is needed, without one.
        tools.run(tool, [*common, "--pack-only"], folder)
        check_capacity(board, read_json(folder / own / ROUTE_REPORT)["utilization"])
        raise
    return timing(folder / own)


def _effort(family: str, folder: Path) -> list[str]:
    """Options for a large design: the usual placer leaves its wires so long that routing never ends.

    Behind the static placer, router2 ends where router1 does not, unless there is much of everything.
    """
    if family != "ecp5":
        return []
    cells: dict[str, int] = read_json(folder / STATISTICS)["design"]["num_cells_by_type"]
    luts = cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0)
    if luts <= LARGE:
        return []
    return ["--placer", "static", "--router", "router1" if luts > VERY_LARGE else "router2"]


def keep(folder: Path, *, seed: int) -> None:
    """Makes the route with this seed the one that the further steps take."""
    for path in (folder / f"seed{seed}").iterdir():
        os.replace(path, folder / path.name)


def check_capacity(board: Board, utilization: Mapping[str, Mapping[str, int]]) -> None:
    """Refuses a design that needs more of something than the part has.

    Raises
    ------
    PlanError
        Naming everything of which there is too little.
    """
    names = {
        "ICESTORM_LC": "LUTs",
        "ICESTORM_RAM": "block RAMs",
        "ICESTORM_SPRAM": "single-port RAMs",
        "TRELLIS_COMB": "LUTs",
        "TRELLIS_FF": "flip-flops",
        "DP16KD": "block RAMs",
    }
    lacking = [
        f"{count['used']} of {count['available']} {names.get(kind, kind)}"
        for kind, count in utilization.items()
        if count["used"] > count["available"]
    ]
    if lacking:
        raise PlanError(
            f"the design is too large for {board.part} on board {board.name}: it needs {', '.join(lacking)}; "
            "use smaller pe and simd (--folding, --fps) or a larger board"
        )


def timing(folder: Path) -> Timing:
    """Reads the highest frequencies from the report of the route in `folder`."""
    clocks = {name: entry["achieved"] for name, entry in read_json(folder / ROUTE_REPORT)["fmax"].items()}
    accel = [mhz for name, mhz in clocks.items() if clock_name(name) == "accel_clk"]
    link = [mhz for name, mhz in clocks.items() if clock_name(name) != "accel_clk"]
    # Without a PLL there is one clock for both.
    return Timing(accel_mhz=min(accel or link), link_mhz=min(link or accel))


def clock_name(net: str) -> str:
    """What the clock on a net is called: `accel_clk` or `clk`, in whatever module yosys found it first; nextpnr marks
    those on global wires."""
    return re.split(r"[.$]", net.removesuffix("_$glb_clk"))[-1]


def set_dividers(board: Board, folder: Path, dividers: Mapping[str, int]) -> None:
    """Changes the dividers of the PLL in the routed design; nothing else moves.

    On iCE40 the routed netlist is changed and read again, with its placement and its wires; on ECP5 the text from which
    the bitstream is packed names the dividers.

    Raises
    ------
    ToolError
        If nextpnr fails.
    """
    if board.device.family == "ecp5":
        path = folder / CONFIGURATION
        text = path.read_text()
        for name, value in dividers.items():
            text, count = re.subn(rf"^word: {name} [01]{{7}}$", f"word: {name} {value - 1:07b}", text, flags=re.M)
            assert count == 1, name
        path.write_text(text)
        return
    netlist = read_json(folder / ROUTED)
    (cell,) = (cell for cell in netlist["modules"]["top"]["cells"].values() if cell["type"] == "ICESTORM_PLL")
    for name, value in dividers.items():
        width = len(cell["parameters"][name])
        cell["parameters"][name] = f"{value:0{width}b}"
    (folder / ROUTED).write_text(json.dumps(netlist))
    arguments = ["-q", *board.nextpnr, "--json", ROUTED, "--no-pack", "--no-place", "--asc", CONFIGURATION]
    tools.run(tools.NEXTPNR["ice40"], [*arguments, "--report", ROUTE_REPORT, "--timing-allow-fail"], folder)


def pack(board: Board, folder: Path) -> None:
    """Routed design -> bitstream.

    Raises
    ------
    ToolError
        If the packer fails.
    """
    if board.device.family == "ice40":
        tools.run(tools.PACK["ice40"], [CONFIGURATION, board.bitstream], folder)
    else:
        tools.run(tools.PACK["ecp5"], ["--compress", "--input", CONFIGURATION, "--bit", board.bitstream], folder)


def utilization(board: Board, folder: Path) -> dict[str, dict[str, int]]:
    """How much of the part the routed design takes.

    ``lut4`` is what the placer hands out: on iCE40 logic cells (a LUT4 with its carry and its flip-flop, any of which
    may be unused), on ECP5 TRELLIS_COMB (a LUT4 or half a CCU2C). ``ff`` are flip-flops and ``carry`` positions of
    carry chains, of which there is one per LUT4.
    """
    report = read_json(folder / ROUTE_REPORT)["utilization"]
    cells: dict[str, int] = read_json(folder / STATISTICS)["design"]["num_cells_by_type"]

    def hard(resource: str) -> dict[str, int]:
        entry = report.get(CELLS[family].get(resource), {"used": 0, "available": 0})
        return {"used": int(entry["used"]), "available": int(entry["available"])}

    family = board.device.family
    lut4 = hard("lut4")
    flip_flops = sum(count for kind, count in cells.items() if kind.startswith("SB_DFF"))
    carries = cells.get("SB_CARRY", 0) if family == "ice40" else 2 * cells.get("CCU2C", 0)
    return {
        "lut4": lut4,
        "ff": {"used": flip_flops, "available": lut4["available"]} if family == "ice40" else hard("ff"),
        "carry": {"used": carries, "available": lut4["available"]},
        **{resource: hard(resource) for resource in ("block_ram", "spram", "dsp")},
    }


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())
