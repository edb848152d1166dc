"""Where the bits for a network's first tables are made, at the host or on the chip, and what each of the two costs."""

from __future__ import annotations

from math import prod

from bnnhw.dataflow import Network
from bnnhw.dataflow.layers import LookupLayer
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Dense
from bnnhw.passes import to_integers


def encoder_costs(source: Graph, network: Network) -> str | None:
    """What to say of the encoder of `network`, which was made of the imported graph `source`.

    That is where it stands, the bits of a frame, and those and the LUTs of the other way; None for a network that does
    not begin with tables.
    """
    if not _begins_with_tables(network):
        return None
    host = Network.of(to_integers(source))
    chip = None if source.input_format is None else Network.of(to_integers(source, encoder="chip"))
    if chip is None or chip.i_dtype == host.i_dtype or not _begins_with_tables(chip):
        told = source.input_format is not None
        how = "" if told else "; where the format of the input is stated, --encoder chip has the chip make them"
        return f"encoder on the host: {_frame_bits(host)} bits a frame{how}"
    first, before = chip.layers[0], host.layers[0]
    assert isinstance(first, LookupLayer) and isinstance(before, LookupLayer)
    more = first.netlist.luts - before.netlist.luts
    costs = {
        "on the host": f"{_frame_bits(host)} bits a frame",
        "on the chip (--encoder chip)": f"{_frame_bits(chip)} bits a frame, and about {more:,} LUTs more",
    }
    ways = list(costs.items()) if network.i_dtype == host.i_dtype else list(costs.items())[::-1]
    return f"encoder {'; '.join(f'{where}: {cost}' for where, cost in ways)}"


def _begins_with_tables(network: Network) -> bool:
    layer = network.layers[0]
    return isinstance(layer, LookupLayer) and not isinstance(layer.chain[0], Dense)


def _frame_bits(network: Network) -> int:
    return prod(network.i_shape) * network.i_dtype.bits
