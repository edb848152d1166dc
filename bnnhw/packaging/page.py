"""The page of a package: Markdown for those who put the module into a design and have never seen bnnhw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow.cycles import Cycles
from bnnhw.design import Design
from bnnhw.generate.wrappers.base import Bus
from bnnhw.numbers import Encoding, Scores
from bnnhw.packaging.memories import commands

# Cuts that are shown on the page; the file has all of them.
MAX_SHOWN = 16
CODES = {
    "bipolar": "1 bit: 0 is -1, 1 is +1",
    "ternary": "2 bits: 00 is 0, 11 is +1, 10 is -1 (bit 1 that it is not zero, bit 0 the sign)",
    "uint": "binary",
    "int": "two's complement",
}


def page(
    prefix: str,
    design: Design,
    bus: Bus,
    encoding: Encoding | None,
    scores: Scores,
    cycles: Cycles,
    *,
    tables: Sequence[str],
    drivers: Sequence[str],
    wrappers: Sequence[str],
) -> str:
    """The page.

    Parameters
    ----------
    tables
        Names of the files of `bnnhw.packaging.tables` that belong to it.
    drivers
        Names of the files of software.
    wrappers
        Names of the files for LiteX.
    """
    return "\n".join(
        [
            *_head(prefix, design, bus),
            *_ports(bus),
            *_frames(bus, design),
            *_codes(prefix, bus.ports.input.dtype, encoding, tables),
            *_results(prefix, bus, scores, tables),
            *_timing(bus, cycles, design),
            *_use(prefix, tables, drivers, wrappers),
        ]
    )


def _head(prefix: str, design: Design, bus: Bus) -> Iterator[str]:
    graph, port = design.graph, bus.ports
    yield f"# {prefix}\n"
    yield (
        f"The network `{graph.name}` as a module of Verilog-2001: {port.input.elements} elements of "
        f"{port.input.dtype.bits} bits go in as a frame, {port.output.elements} integers of {port.output.width} bits "
        "and the class come out. It needs no primitive of any maker: memories are inferred. It was planned for "
        f"{design.plan.part}, which decides how much is done at once, not where it runs.\n"
    )
    yield f"Bus: `{bus.name}`. Design: `{design.plan.digest}`, which the first line of `{prefix}.v` repeats.\n"


def _ports(bus: Bus) -> Iterator[str]:
    yield "## Ports\n\n| port | bits | direction | meaning |\n| --- | --- | --- | --- |"
    for s in bus.signals:
        yield f"| `{s.name}` | {s.bits} | {s.direction} | {s.meaning} |"
    yield f"\n{bus.handshake}\n"
    yield (
        f"`{bus.reset.name}` is synchronous: at {bus.reset_active} for one edge or more it empties the module. Frames "
        "inside are lost, and the next beat begins a new one. Memories keep their contents, which are part of the "
        "configuration. On FPGAs whose registers start with their initial values no reset is needed; on iCE40, whose "
        "block RAMs read zero for some microseconds after configuration, hold it for 15 us.\n"
    )


def _frames(bus: Bus, design: Design) -> Iterator[str]:
    port, graph = bus.ports.input, design.graph
    shape = " x ".join(str(size) for size in graph.tensors[graph.input].shape)
    yield f"## Frames\n\n{port.elements} elements in {port.beats} beats of {port.lanes}. {bus.frame_layout}\n"
    yield f"The model's own input is an array of {shape} values."


def _codes(prefix: str, dtype: DataType, encoding: Encoding | None, tables: Sequence[str]) -> Iterator[str]:
    yield f"\n## From values to codes\n\nAn element is {dtype}, {CODES[dtype.kind]}.\n"
    if encoding is None:
        yield (
            "What the model does to its input before the first codes is not a function of each element that could be "
            "listed here, or the inputs are integers already. `bnnhw.reference.encode_inputs` computes the integers."
        )
        return
    if f"{prefix}_elements.csv" in tables:
        yield (
            f"`{prefix}_elements.csv` lists for each element of the frame which element of the model's input it is, "
            "both counted row by row from 0, and its group. "
            + ("They are in the same order.\n" if encoding.in_order else "They are not in the same order.\n")
        )
    else:
        yield "The elements are in the order of the model's input, row by row.\n"
    low, high = encoding.integers[[0, -1]].tolist()
    for group, falling in enumerate(encoding.falling[:MAX_SHOWN].tolist()):
        line, cuts = encoding.line(group), encoding.cuts[:, group].tolist()
        of = f"Group {group}: " if len(encoding.falling) > 1 else ""
        if line is not None:
            yield (
                f"* {of}a value `x` becomes the integer `round(scale * x + offset)`, clipped to {low} .. {high}, with "
                f"**scale = {line[0]:.9g}** and **offset = {line[1]:.9g}**."
            )
        elif len(cuts) == 1:
            sign = "<=" if falling else ">="
            yield f"* {of}a value `x` becomes {high} where `x {sign} {cuts[0]:.9g}`, and {low} elsewhere."
        elif cuts and len(cuts) <= MAX_SHOWN:
            sign = "<=" if falling else ">="
            steps = ", ".join(
                f"{value} where `x {sign} {cut:.9g}`"
                for value, cut in zip(encoding.integers[1:].tolist(), cuts, strict=True)
            )
            yield f"* {of}a value `x` becomes {low}, or {steps}: the last of these that holds."
        else:
            yield f"* {of}a value becomes the integer that `{prefix}_codes.csv` gives."
    yield (
        f"\n`{prefix}_codes.csv` gives for each integer its code and the float32 value from which on it is the "
        "result (`least`), or up to which (`greatest`, where a larger value has a smaller integer): exact, where "
        "scale and offset may be off in the last digit."
    )


def _results(prefix: str, bus: Bus, scores: Scores, tables: Sequence[str]) -> Iterator[str]:
    port = bus.ports.output
    yield (
        f"\n## Results\n\nA result for each frame, in order: {port.elements} integers in {port.beats} beats of "
        f"{port.lanes}, two's complement of {port.width} bits. {bus.result_layout}\n"
    )
    if scores.uniform:
        yield (
            "The model's output is `scale * integer + offset`, computed in float32, with "
            f"**scale = {scores.scale[0]:.9g}** and **offset = {scores.offset[0]:.9g}**."
        )
    else:
        yield (
            f"The model's output is `scale[k] * integer[k] + offset[k]`, computed in float32; `{prefix}_scores.csv` "
            "lists scale and offset of each."
        )
    if scores.rest:
        yield f"After that the model has {', '.join(scores.rest)}, which is software."
    yield "\nThe class is that of the largest output, of several the first."


def _timing(bus: Bus, cycles: Cycles, design: Design) -> Iterator[str]:
    yield (
        f"\n## Timing\n\nLatency: at most {cycles.latency:,} cycles from a frame's first beat to its result's last "
        f"one, on an idle module that nothing stalls. Interval: a frame every {cycles.interval:g} cycles, when frames "
        "follow each other without a gap. Stalls on either side lose nothing."
    )
    group = design.plan.group
    if group > 1:
        yield f"{group} frames are worked on side by side, so their results come in groups; one alone is not delayed."


def _use(prefix: str, tables: Sequence[str], drivers: Sequence[str], wrappers: Sequence[str]) -> Iterator[str]:
    yield f"""
## Use

| file | what it is |
| --- | --- |
| `{prefix}.v` | the module `{prefix}`; all modules in it are called `{prefix}` or `{prefix}__...` |
| `{prefix}_template.v` | an instance to copy |
| `{prefix}_tb.v`, `{prefix}_*.hex` | a self-checking bench with frames and results of the reference |
| `{prefix}.core` | for FuseSoC: `fusesoc --cores-root . run --target sim bnnhw:accelerators:{prefix}` |"""
    for name in tables:
        yield f"| `{name}` | see above |"
    for name in drivers:
        yield f"| `{name}` | driver in {'MicroPython' if name.endswith('.py') else 'C'} |"
    run = "\n    ".join(commands(prefix))
    for name in wrappers:
        yield f"| `{name}` | for LiteX: `from {name.removesuffix('.py')} import Accelerator` |"
    yield f"""
The bench runs in this folder, and ends with PASS and exit status 0 or with FAIL and another one (FuseSoC does not pass
on that of Icarus):

    {run}

Two packages with different prefixes go into one design: they share no module. `{prefix}.v` tells Verilator which of its
remarks on generated Verilog to leave out, with the reason beside each; the reader's own files are not concerned.
"""
