"""Memories that the bitstream does not fill: reading their image, checking it, and writing it where it belongs."""
