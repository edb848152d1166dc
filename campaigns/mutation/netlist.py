"""An accelerator's Verilog with all of its faults in it, and an input that chooses one."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amaranth.back import rtlil

from bnnhw.generate.accelerator import Accelerator
from bnnhw.toolchain import tools
from campaigns.mutation.designs import Small
from campaigns.mutation.faults import BITS, FaultyAccelerator, Mutant, planted

# What yosys calls the cells that faults are put into, and what they are.
CELLS = {
    "$add": "adder",
    "$sub": "adder",
    "$neg": "adder",
    "$mul": "adder",
    "$eq": "comparison",
    "$ne": "comparison",
    "$lt": "comparison",
    "$le": "comparison",
    "$gt": "comparison",
    "$ge": "comparison",
    "$dff": "register",
    "$dffe": "register",
    "$sdff": "register",
    "$mux": "multiplexer",
    "$pmux": "multiplexer",
    "$bmux": "multiplexer",
    "$shiftx": "multiplexer",
}
MODES = {
    "inv": "inverted",
    "const0": "stuck at zero",
    "const1": "stuck at one",
    "cnot0": "inverted by another bit",
    "cnot1": "inverted by another bit",
}

PREPARE = """\
read_rtlil design.il
hierarchy -top accelerator
proc
flatten
memory_collect
opt_expr
opt_clean
write_json design.json
"""
LIST = "mutate -list {count} -seed {seed} -o listed.txt -ctrl mutant {bits} 1\n"
FINISH = """
opt_clean
write_verilog -noattr mutated.v
"""


class Mutated:
    """The Verilog of a design with its faults.

    Parameters
    ----------
    folder
        Where the tools' files are kept.

    Attributes
    ----------
    mutants, verilog
        The faults, number 1 first, and the module ``accelerator``, whose input ``mutant`` is the number of the one
        that is on, or 0.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.mutants: list[Mutant] = []
        self.verilog = ""

    @classmethod
    def named(cls, small: Small, folder: Path) -> Mutated:
        """Faults in memories and in streams."""
        self = cls(folder)
        top = FaultyAccelerator(small.plan, small.network)
        with planted(top.plant):
            text = rtlil.convert(top, name="accelerator", emit_src=False)
        self.mutants = top.plant.mutants
        self._finish(text, [])
        return self

    @classmethod
    def structural(cls, small: Small, folder: Path, *, count: int, resets: int, seed: int = 1) -> Mutated:
        """`count` faults in cells, evenly over the netlist, and `resets` in the values of registers at reset."""
        self = cls(folder)
        text = rtlil.convert(Accelerator(small.plan, small.network), name="accelerator", emit_src=False)
        design = self._prepare(text, LIST.format(count=count, seed=seed, bits=BITS))
        commands = (folder / "listed.txt").read_text().splitlines()
        self.mutants = [_structural(k, line, design) for k, line in enumerate(commands, 1)]
        for mutant, command in _resets(design, resets, seed, len(commands) + 1):
            self.mutants.append(mutant)
            commands.append(command)
        self._finish(text, commands)
        return self

    def _prepare(self, text: str, more: str) -> dict[str, Any]:
        """Writes the netlist and runs yosys over it; gives the flattened module."""
        (self._folder / "design.il").write_text(text)
        (self._folder / "prepare.ys").write_text(PREPARE + more)
        tools.run(tools.YOSYS, ["-q", "prepare.ys"], self._folder)
        module: dict[str, Any] = json.loads((self._folder / "design.json").read_text())["modules"]["accelerator"]
        return module

    def _finish(self, text: str, commands: list[str]) -> None:
        assert len(self.mutants) < 1 << BITS
        self._prepare(text, "\n".join(commands) + FINISH)
        self.verilog = (self._folder / "mutated.v").read_text()


def _structural(number: int, command: str, design: dict[str, Any]) -> Mutant:
    """What a line of yosys' list is."""
    words = command.split()
    options = dict(zip(words[1::2], words[2::2], strict=False))
    cell = words[words.index("-cell") + 1].lstrip("\\")
    port = words[words.index("-port") + 1].lstrip("\\")
    bit = words[words.index("-portbit") + 1]
    kind = design["cells"][cell]["type"]
    family = CELLS.get(kind, "memory" if kind.startswith("$mem") else "gate")
    by = f" by bit {options['-ctrlbit']}" if "-ctrlbit" in options else ""
    return Mutant(number, f"{family} bit {MODES[options['-mode']]}", f"{kind} {cell}, port {port}, bit {bit}{by}")


def _resets(design: dict[str, Any], count: int, seed: int, first: int) -> Iterator[tuple[Mutant, str]]:
    """Faults in the values that registers take at reset: constants of multiplexers that the reset switches."""
    (reset,) = design["ports"]["rst"]["bits"]
    places = [
        (name, port, k)
        for name, cell in design["cells"].items()
        if cell["type"] == "$mux" and cell["connections"]["S"] == [reset]
        for port in "AB"
        for k, bit in enumerate(cell["connections"][port])
        if isinstance(bit, str)
    ]
    chosen = random.Random(seed).sample(places, min(count, len(places)))
    for number, (cell, port, bit) in enumerate(sorted(chosen), first):
        name = cell if cell.startswith("$") else f"\\{cell}"
        command = (
            f"mutate -mode inv -ctrl mutant {BITS} {number} -module accelerator -cell {name} -port \\{port} "
            f"-portbit {bit}"
        )
        yield Mutant(number, "reset value changed", f"{cell}, bit {bit}"), command
