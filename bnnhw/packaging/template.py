"""How a package is put into a design: the instantiation template, and the file for FuseSoC."""

from __future__ import annotations

from collections.abc import Sequence

from bnnhw.generate.wrappers.base import Bus


def template(prefix: str, bus: Bus) -> str:
    """Declarations and an instance, to be copied."""
    signals = bus.signals
    wires = "\n".join(f"wire {f'[{s.bits - 1}:0] ' if s.bits > 1 else ''}{s.name};  // {s.meaning}" for s in signals)
    ports = ",\n".join(f"    .{s.name}({s.name})" for s in signals)
    return f"// The module {prefix} in a design: copy, and connect.\n\n{wires}\n\n{prefix} {prefix}_0 (\n{ports}\n);\n"


def fusesoc_core(prefix: str, description: str, version: str, data_files: Sequence[str]) -> str:
    """The core file, of FuseSoC's CAPI2: the module, and the targets ``sim`` and ``lint``.

    Parameters
    ----------
    data_files
        What the bench reads.
    """
    data = "\n".join(f"      - {name}: {{file_type: user, copyto: {name}}}" for name in data_files)
    return f"""\
CAPI=2:
name: bnnhw:accelerators:{prefix}:{version}
description: {description}

filesets:
  rtl:
    files:
      - {prefix}.v
    file_type: verilogSource
  bench:
    files:
      - {prefix}_tb.v: {{file_type: verilogSource}}
{data}

targets:
  default:
    filesets: [rtl]
    toplevel: {prefix}
  lint:
    default_tool: verilator
    filesets: [rtl]
    toplevel: {prefix}
    tools:
      verilator:
        mode: lint-only
        verilator_options: [-Wall]
  sim:
    default_tool: icarus
    filesets: [rtl, bench]
    toplevel: {prefix}_tb
    tools:
      icarus:
        iverilog_options: [-g2001]
      verilator:
        mode: binary
        verilator_options: [--timing, -CFLAGS, -std=c++20]
"""
