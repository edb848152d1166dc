"""The requests that wait for their answers."""

from amaranth.lib import data

ANSWER = data.StructLayout({"status": 3, "sequence": 8})
"""An answer to be: its `short_status`, and the sequence number of its request."""


def short_status(status):
    """The bits in which one `Status` differs from another."""
    return status & 0b111
