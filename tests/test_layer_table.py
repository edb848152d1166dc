"""Shapes of engines and lines of the layer table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bnnhw.layer_table import ENTRIES, HEADER, LESS_ONE, LINE_BITS, SHAPES, SLOT, EngineShape, Opcode, pack, unpack

SHAPE = SHAPES["up5k"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lanes": 24}, "an engine's lanes must be a power of two, not 24"),
        ({"lanes": 64}, "an engine's lanes must be 16 to 32, not 64"),
        ({"pixels": 8}, "an engine's pixels must be 1 to 4, not 8"),
        ({"lines": 1 << 17}, "an engine's lines must be 64 to 65536, not 131072"),
        ({"weights": 1024}, "an engine's weights must be 2 to 512, not 1024"),
        ({"width": 33}, "an engine's width must be 7 to 32, not 33"),
        ({"slots": "256"}, "an engine's slots must be 8 to 4096, not '256'"),
        ({"banks": 2, "pixels": 2}, "banks must hold 64 bits together, and be no more than lanes"),
        ({"family": "xilinx"}, "no engine of family 'xilinx' with memory 'spram'"),
        ({"memory": "dram"}, "no engine of family 'ice40' with memory 'dram'"),
    ],
)
def test_shapes_that_no_engine_has(changes, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        replace(SHAPE, **changes)


def test_fingerprints_tell_shapes_apart():
    """Of what the memory is made, no program depends on."""
    assert replace(SHAPE, memory="block").fingerprint == SHAPE.fingerprint
    others = [replace(SHAPE, **change) for change in ({"pixels": 1}, {"width": 24}, {"slots": 512}, {"lines": 4096})]
    assert len({shape.fingerprint for shape in (SHAPE, *SHAPES.values(), *others)}) == len(SHAPES) + len(others)
    assert EngineShape(**SHAPE.facts()) == SHAPE  # type: ignore[arg-type]


def test_collisions_of_pixels():
    assert [step for step in range(1, 9) if SHAPE.collides(step)] == [4, 8]
    assert [step for step in range(1, 9) if SHAPES["ecp5-85f"].collides(step)] == [4, 8]


@pytest.mark.parametrize("layout", [HEADER, SLOT, *ENTRIES.values()])
def test_lines_come_back_as_they_were(layout):
    assert sum(layout.values()) <= LINE_BITS
    for fill in ("lowest", "highest"):
        values = {
            name: (name in LESS_ONE) + (0 if fill == "lowest" else (1 << bits) - 1) for name, bits in layout.items()
        }
        assert unpack(layout, pack(layout, values)) == values


def test_entries_have_their_place_in_the_same_field():
    """The circuit takes it before it looks at the opcode."""
    for opcode, first in {
        Opcode.SLOTS: "source",
        Opcode.PASS: "source",
        Opcode.INPUT: "base",
        Opcode.OUTPUT: "base",
    }.items():
        layout = ENTRIES[opcode]
        names = list(layout)
        assert (sum(layout[name] for name in names[: names.index(first)]), layout[first]) == (16, 16), opcode


def test_values_that_do_not_fit():
    with pytest.raises(ValueError, match="width must be 0 to 255, not 256"):
        pack(ENTRIES[Opcode.READ], {"width": 257})
    with pytest.raises(ValueError, match="rows must be 0 to 65535, not -1"):
        pack(ENTRIES[Opcode.INPUT], {"rows": 0})
    with pytest.raises(ValueError, match="no fields depth"):
        pack(ENTRIES[Opcode.READ], {"depth": 1})
