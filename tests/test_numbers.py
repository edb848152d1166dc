"""The tables of a package, read as their user would, against the reference."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bnnhw
from bnnhw import reference
from bnnhw.arithmetic.formats import DataType
from bnnhw.cli.compiling import input_text
from bnnhw.design import Design
from bnnhw.inputs import random_inputs
from bnnhw.numbers import encoding, input_facts, scores
from bnnhw.packaging import tables
from tests.onnx_models import Net
from tests.packaging.designs import dense, folded, pooled


def digits(folder: Path) -> Design:
    return bnnhw.compile("digits-binary", board="icebreaker", fps=2000)


def signs(folder: Path) -> Design:
    """A sign of a falling function."""
    net = Net((1, 6))
    x = net.node("Mul", "x", net.constant(-3.0))
    net.dense(net.bipolar(net.node("Add", x, net.constant(0.1))), 6, 3)
    return bnnhw.compile(net.save(folder / "signs.onnx"), part="ice40-up5k")


def uneven(folder: Path) -> Design:
    """Codes at uneven distances."""
    net = Net((1, 6))
    net.dense(net.thresholds("x", [[-1.0, 0.25, 3.0]]), 6, 3)
    return bnnhw.compile(net.save(folder / "uneven.onnx"), part="ice40-up5k")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("make", [digits, dense, folded, pooled, signs, uneven])
def test_tables_tell_the_codes_and_scores(make: Callable[[Path], Design], tmp_path: Path) -> None:
    design = make(tmp_path)
    graph, dtype = design.graph, design.plan.input_dtype
    codes = encoding(graph)
    assert codes is not None
    files = tables.all_of("net", codes, scores(graph), dtype)
    values = random_inputs(graph, 60).values
    flat = values.reshape(len(values), -1)
    expected = reference.encode_inputs(graph, values).reshape(len(values), -1)

    listed = rows(files["net_codes.csv"])
    elements = flat.shape[1]
    order, groups = list(range(elements)), [0] * elements
    if "net_elements.csv" in files:
        found = rows(files["net_elements.csv"])
        order, groups = [int(row["input_element"]) for row in found], [int(row["group"]) for row in found]
    for element, (source, group) in enumerate(zip(order, groups, strict=True)):
        for x, integer in zip(flat[:, source], expected[:, element], strict=True):
            given = None
            for row in listed:
                least, greatest = row["least"], row["greatest"]
                if int(row["group"]) != group:
                    continue
                if (not least or x >= np.float32(least)) and (not greatest or x <= np.float32(greatest)):
                    given = row
            assert given is not None and int(given["integer"]) == integer
            assert int(given["code"]) == int(dtype.encode(np.array([integer]))[0])

    answers = reference.run(graph, values)
    table = scores(graph)
    assert not table.rest
    scale, offset = table.scale, table.offset
    if "net_scores.csv" in files:
        found = rows(files["net_scores.csv"])
        scale, offset = (np.array([float(row[name]) for row in found]) for name in ("scale", "offset"))
    np.testing.assert_allclose(
        answers["integers"].reshape(len(values), -1) * scale + offset,
        answers["outputs"].reshape(len(values), -1),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("make", "lines"),
    [
        (digits, [(0.375, -3.0)]),
        (dense, [(2.0, 0.0)]),
        (pooled, [(-2.0, 0.0), (8.0, 0.0)]),
        (signs, [None]),
        (uneven, [None]),
    ],
)
def test_scale_and_offset(make: Callable[[Path], Design], lines: list[object], tmp_path: Path) -> None:
    codes = encoding(make(tmp_path).graph)
    assert codes is not None
    assert sorted((codes.line(group) for group in range(len(codes.falling))), key=str) == lines


def test_inputs_that_are_integers_have_no_scale(tmp_path: Path) -> None:
    net = Net((1, 6))
    net.dense("x", 6, 3)
    path = net.save(tmp_path)
    graph = bnnhw.compile(path, part="ice40-up5k", input_format=DataType("int", 4)).graph
    assert encoding(graph) is None


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            digits,
            "input: 64 values x; the hardware takes int3, -3 to 3: round(scale * x + offset), clipped, with scale 0.375 and offset -3",
        ),
        (
            signs,
            "input: 6 values x; the hardware takes bipolar, -1 to 1, a step further for each that holds of x <= 0.0333333",
        ),
        (
            uneven,
            "input: 6 values x; the hardware takes uint2, 0 to 3, a step further for each that holds of x >= -1, 0.25, 3",
        ),
    ],
)
def test_what_check_says_of_the_input(make: Callable[[Path], Design], text: str, tmp_path: Path) -> None:
    assert input_text(input_facts(make(tmp_path).graph)) == text


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"given": True}, ", which are the values themselves"),
        (
            {"lines": [[0.5, 1.0], [0.25, -3.0]]},
            ": round(scale * x + offset), clipped, with 2 different pairs of scale (0.25 to 0.5) and offset (-3 to 1) by element",
        ),
        ({"cuts": [0.5] * 9}, ", by no single scale: `bnnhw export` lists where each begins"),
    ],
)
def test_other_inputs_in_words(facts: dict[str, object], text: str) -> None:
    base = {
        "shape": [2, 3],
        "format": "uint2",
        "low": 0,
        "high": 3,
        "lines": [],
        "cuts": [],
        "falling": False,
        "given": False,
    }
    assert input_text({**base, **facts}) == f"input: 2 x 3 values x; the hardware takes uint2, 0 to 3{text}"
