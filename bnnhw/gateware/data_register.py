"""Registers that hold only data, and so need no reset."""

from amaranth.hdl import Signal


def data_register(m, port):
    """A register behind `port`, an output that nobody reads before it was written.

    A reset would have to reach every such register within a cycle, and the wire that does so is the longest of a large
    design: only what controls is reset.

    Parameters
    ----------
    port : Value or View
        Part of an output of the component that `m` is of.
    """
    register = Signal(port.shape(), name="held", reset_less=True)
    m.d.comb += port.eq(register)
    return register
