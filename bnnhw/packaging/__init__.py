"""A design as a package for other people's designs: Verilog-2001, a bench without Python, and a page that says all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bnnhw import files, reference
from bnnhw.artifacts import stamped
from bnnhw.dataflow.cycles import measure
from bnnhw.design import Design
from bnnhw.generate.rtlil import rtlil
from bnnhw.generate.wrappers import check_bus, wrapper
from bnnhw.generate.wrappers.wishbone import Wishbone
from bnnhw.inputs import inputs_for
from bnnhw.numbers import encoding, scores
from bnnhw.packaging import c_driver, litex, register_bench, stream_bench, tables
from bnnhw.packaging.page import page
from bnnhw.packaging.prefixes import check_prefix, prefix_for
from bnnhw.packaging.template import fusesoc_core, template
from bnnhw.packets import Results
from bnnhw.toolchain.verilog import portable_verilog

# Of the packages that this bnnhw writes; FuseSoC asks for one.
VERSION = "1.0.0"


@dataclass(frozen=True)
class Package:
    """What was written.

    Parameters
    ----------
    texts
        The files by name.
    facts
        What the command says of them.
    """

    texts: dict[str, str]
    facts: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Writes the files into `folder`.

        Raises
        ------
        InputError
            If it refuses.
        """
        for name, text in self.texts.items():
            files.write_text(folder / name, text)


def check_choices(bus: str, prefix: str | None) -> None:
    """Refuses a bus that there is not and a prefix that is no name, before anything is computed.

    Raises
    ------
    InputError
        Naming the option.
    """
    check_bus(bus)
    if prefix is not None:
        check_prefix(prefix)


def make_package(design: Design, *, bus: str, prefix: str | None, samples: int) -> Package:
    """The package of `design`, see `bnnhw.export`.

    Raises
    ------
    InputError
        As `check_choices`.
    ToolError
        If Yosys is missing or fails.
    """
    check_choices(bus, prefix)
    graph, plan, network = design.graph, design.plan, design.network
    name = prefix_for(graph.name) if prefix is None else prefix
    component = wrapper(bus, plan, network)
    signals = component.bus
    chosen = inputs_for(graph, None, samples)
    answers = reference.run(graph, chosen.values)
    expected = Results(
        np.asarray(answers["integers"], np.int64).reshape(len(chosen.values), -1),
        np.asarray(answers["prediction"], np.int64).reshape(len(chosen.values)),
        np.zeros(len(chosen.values), np.bool_),
    )
    values = reference.encode_inputs(graph, chosen.values)
    cycles = measure(plan, network)
    if isinstance(signals, Wishbone):
        benches = register_bench.files(name, signals, values, expected, digest=plan.digest, latency=cycles.latency)
        drivers = c_driver.files(name, signals, digest=plan.digest)
    else:
        benches, drivers = stream_bench.files(name, signals, values, expected, latency=cycles.latency), {}
    wrappers = litex.files(name, signals, digest=plan.digest)
    codes, found = encoding(graph), scores(graph)
    listed = tables.all_of(name, codes, found, plan.input_dtype)
    texts = {
        f"{name}.v": stamped(portable_verilog(rtlil(component, name), name), plan.digest),
        f"{name}_template.v": template(name, signals),
        **benches,
        **drivers,
        **wrappers,
        **listed,
        f"{name}.core": fusesoc_core(
            name,
            f"Accelerator of the network {graph.name}",
            VERSION,
            [file for file in benches if file.endswith(".hex")],
        ),
        f"{name}.md": page(
            name, design, signals, codes, found, cycles, tables=[*listed], drivers=[*drivers], wrappers=[*wrappers]
        ),
    }
    facts = {
        "model": graph.name,
        "digest": plan.digest,
        "bus": bus,
        "prefix": name,
        "part": plan.part,
        "frames": len(chosen.values),
        "inputs": chosen.source,
        "latency_cycles": cycles.latency,
        "cycles_per_inference": cycles.interval,
        "files": [*texts],
    }
    return Package(texts, facts)
