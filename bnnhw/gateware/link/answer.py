"""The requests that wait for their answers."""

from amaranth.lib import data

from bnnhw.packets import Status

STATUS_BITS = 3
"""Bits in which one `Status` differs from another, where no memories are loaded."""

LOADS_STATUS_BITS = 4
"""The same where some are."""


def answer_layout(*, loads=False):
    """An answer to be: its `short_status`, and the sequence number of its request."""
    return data.StructLayout({"status": LOADS_STATUS_BITS if loads else STATUS_BITS, "sequence": 8})


def short_status(status):
    """The bits in which one `Status` differs from another."""
    return status - Status.IDENTITY
