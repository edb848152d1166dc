"""Which gates of a netlist lie between which registers."""

from __future__ import annotations

from dataclasses import dataclass

from bnnhw.arithmetic.adder_graphs.netlist import ONE, Adder, Gate, Netlist

# How often gates are looked at again, as moving one lets others move.
PASSES = 3


@dataclass(frozen=True)
class Schedule:
    """The stages of a pipeline.

    Parameters
    ----------
    stages
        How many there are; between two of them every bit that is still needed has a register.
    of_gate
        The stage of each gate, from 0 on.
    depth
        The level of each gate: no gate reads another one of its level.
    """

    stages: int
    of_gate: tuple[int, ...]
    depth: tuple[int, ...]

    @property
    def held(self) -> int:
        """Vectors on the way through the stages and the FIFO behind them, when one comes and one goes every cycle."""
        return self.stages + 3

    def registers(self, netlist: Netlist) -> int:
        """Flip-flops between the stages; what comes in at stage 0 and what leaves the last one not counted."""
        made = dict.fromkeys(range(netlist.inputs + 1), 0)
        used: dict[int, int] = {}
        for gate, stage in zip(netlist.gates, self.of_gate, strict=True):
            made.update(dict.fromkeys(outputs_of(gate), stage))
            for signal in signals_of(gate):
                used[signal] = max(used.get(signal, 0), stage)
        for word in netlist.sums:
            used.update({bit >> 1: self.stages - 1 for bit in word if bit > ONE})
        return sum(stage - made[signal] for signal, stage in used.items())


def schedule(netlist: Netlist, levels: int | None) -> Schedule:
    """Stages of at most `levels` LUTs or carry chains one behind the other; one stage with None.

    A gate comes as soon as it can, or, where fewer bits then need registers, later.
    """
    read = [signals_of(gate) for gate in netlist.gates]
    made = [outputs_of(gate) for gate in netlist.gates]
    at = dict.fromkeys(range(netlist.inputs + 1), 0)
    for signals, outputs in zip(read, made, strict=True):
        at.update(dict.fromkeys(outputs, 1 + max((at[signal] for signal in signals), default=0)))
    readers: dict[int, list[int]] = {}
    for k, signals in enumerate(read):
        for signal in signals:
            readers.setdefault(signal, []).append(k)
    place = [at[outputs[0]] for outputs in made]
    deepest = max(place, default=1)
    ends = {bit >> 1 for word in netlist.sums for bit in word}
    for _ in range(PASSES):
        for k in reversed(range(len(place))):
            if not ends.isdisjoint(made[k]):
                continue
            later = min(place[reader] for output in made[k] for reader in readers.get(output, ())) - 1
            held = 0
            for signal in read[k]:
                last = max(place[reader] for reader in readers[signal])
                held += max(0, later - last)
            if held < len(made[k]) * (later - place[k]):
                place[k] = later
    levels = levels or deepest
    return Schedule(-(-deepest // levels), tuple((level - 1) // levels for level in place), tuple(place))


def signals_of(gate: Gate) -> set[int]:
    """What a gate reads, constants left out."""
    if isinstance(gate, Adder):
        return {bit >> 1 for bit in (*gate.a, *gate.b, gate.carry) if bit > ONE}
    return set(gate.signals)


def outputs_of(gate: Gate) -> tuple[int, ...]:
    """What a gate makes."""
    return gate.outputs if isinstance(gate, Adder) else (gate.output,)
