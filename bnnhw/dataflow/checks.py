"""Whether a plan that was read from a file is one of a network: nothing else looks at its numbers again."""

from __future__ import annotations

from dataclasses import fields
from math import prod

from bnnhw.dataflow.layers import INPUT, MAX_BEATS
from bnnhw.dataflow.network import Network
from bnnhw.dataflow.plan import Plan, shown
from bnnhw.errors import InputError


def check_belongs(plan: Plan, network: Network, where: str) -> None:
    """Refuses a plan that is none of `network`.

    Raises
    ------
    InputError
        Naming the file `where`, the layer and the key.
    """
    if len(plan.layers) != len(network.layers):
        raise InputError(f"{where}: has {len(plan.layers)} layers, its graph {len(network.layers)}: compile again")
    for layer, folded in zip(network.layers, plan.layers, strict=True):
        wanted = layer.unfolded()
        _same(f"{where}: layer {layer.name}: kind", folded.kind, wanted.kind)
        # A folding chooses some of it; everything else is the network's.
        for key in (field.name for field in fields(wanted) if field.name not in (*wanted.choices, "fifos")):
            _same(f"{where}: layer {layer.name}: {key}", getattr(folded, key), getattr(wanted, key))
        if len(folded.fifos) != len(wanted.fifos) or not all(0 <= beats <= MAX_BEATS for beats in folded.fifos):
            raise InputError(f"{where}: layer {layer.name}: fifos cannot be {shown(folded.fifos)}: compile again")
        if not layer.fits(folded):
            raise InputError(f"{where}: layer {layer.name}: pe, lanes or window_rows do not fit it: compile again")
    taken, part = sum(layer.spram for layer in plan.layers), plan.device
    if taken > part.spram:
        raise InputError(
            f"{where}: takes {taken} single-port RAMs (weight_memory spram), and {part.name} has {part.spram}: "
            "compile again"
        )
    (first, _), *_ = network.readers(INPUT)
    last = plan.layers[-1]
    _same(f"{where}: model", plan.model, network.model)
    _same(f"{where}: input", plan.input, network.i_dtype.name)
    _same(f"{where}: input_elements", plan.input_elements, prod(network.i_shape))
    _same(f"{where}: input_simd", plan.input_simd, plan.layers[first].i_lanes)
    _same(f"{where}: macs", plan.macs, network.macs)
    if not 1 <= plan.output_lanes <= last.pe or last.pe % plan.output_lanes:
        raise InputError(f"{where}: output_lanes must divide {last.pe}, not be {plan.output_lanes}: compile again")
    if not 0 < plan.clock_mhz < 1e12:
        raise InputError(f"{where}: clock_mhz cannot be {plan.clock_mhz}: compile again")


def _same(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise InputError(f"{what} is {shown(found)}, but {shown(wanted)} in its graph: compile again")
