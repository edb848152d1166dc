"""Fits the area model, ``bnnhw/dataflow/cost_table.json``, and prints how well it fits.

What is fitted is of two kinds: single units, taken from plans of the shipped models and of random dense networks, each
synthesised and packed alone (their features and areas are kept in ``benchmarks/calibration.json``; ``--measure`` does
that again, some twenty minutes per family), and the boards of ``benchmarks/results``, which also tell what link and
clock around an accelerator take. Least squares of relative errors, no coefficient below zero; a weak pull towards PRIOR
settles what neither of them tells.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

import bnnhw
from bnnhw.arithmetic.formats import DataType, IntegerRange
from bnnhw.dataflow import Network, Plan, planned
from bnnhw.dataflow.area import TABLE, unit_cost
from bnnhw.dataflow.layers import MatrixLayer
from bnnhw.dataflow.pipeline import contents, pipeline
from bnnhw.errors import BnnhwError, ToolError
from bnnhw.files import write_text
from bnnhw.generate.circuits import circuit
from bnnhw.ir.bounds import reach
from bnnhw.ir.nodes import Dense, Threshold
from bnnhw.parts import PARTS
from bnnhw.toolchain import find_board, flow, tools
from bnnhw.units import Contents, FrameGuard, FrameStatus, LabelSelect, Unit

HERE = Path(__file__).resolve().parent
DATA = HERE / "calibration.json"

# Before any measurement: what the gateware's structure suggests, in LUTs per unit of each feature.
PRIOR = {
    "accelerator": 120,
    "layer": 45,
    "constant_lut": 1.02,
    "constant_register": 0.4,
    "lane": 2,
    "registered_lane": 0.1,
    "masked_lane": 0.6,
    "accumulator_bit": 1.3,
    "input_bit": 1,
    "sum_bit": 1,
    "search_bit": 2.5,
    "table": 1,
    "comparator_bit": 1.2,
    "bias_bit": 1,
    "buffer_bit": 2,
    "weight_table": 1,
    "cut_bit": 0.7,
    "collect_bit": 1.1,
    "output_bit": 5,
    "score_bit": 1.3,
    "board": 850,
    "window": 120,
    "window_choice": 0.7,
    "window_bit": 1,
    "pool_bit": 3,
    "fork": 8,
    "fifo": 40,
    "fifo_bit": 1,
    "scale_bit": 1.3,
    "multiplier_bit": 2.9,
    "loaded_bank": 20,
    "loader": 260,
}
# On ECP5 a register shares the cell of the LUT before it, which is what is counted.
PRIOR_OF = {"ice40": PRIOR, "ecp5": {**PRIOR, "constant_register": 0.05}}
PULL = 0.03

BOARD_OF = {"ice40": "ice40-hx8k-b-evn", "ecp5": "ulx3s-85f"}
LOGIC_CELLS = {"ice40": "ICESTORM_LC", "ecp5": "TRELLIS_COMB"}
SIZES = (
    (784, 64, 64, 64, 10),
    (64, 64, 64, 10),
    (100, 48, 32, 10),
    (196, 128, 64, 10),
    (256, 32, 32, 10),
    (300, 100, 10),
    (64, 32, 10),
)
TYPES = (
    ("bipolar", "bipolar", "bipolar"),
    ("ternary", "ternary", "ternary"),
    ("bipolar", "uint4", "bipolar"),
    ("bipolar", "int8", "ternary"),
    ("int4", "uint4", "uint3"),
    ("ternary", "uint2", "bipolar"),
    ("bipolar", "uint2", "uint2"),
)
MAX_LANES = {"ice40": 350, "ecp5": 1000}
# Inferences per second that shipped models are planned for, for their units.
RATES = (200, 1000, 4000, 12000)
DENSE_NETWORKS = 12
# Units of a kind that are measured, none of more LUTs than this.
UNITS_OF_A_KIND = 12
MAX_LUTS = 1500


def random_network(rng: np.random.Generator, sizes: tuple[int, ...], types: tuple[str, str, str]) -> Network:
    """Layers of random weights and thresholds near the middle of the reachable range, where those of real ones lie."""
    weight, x, activation = (DataType.parse(name) for name in types)
    layers: list[MatrixLayer] = []
    for k, (mw, mh) in enumerate(zip(sizes, sizes[1:], strict=False)):
        codes = rng.integers(0, 1 << weight.bits, (mh, mw))
        matrix = weight.decode(codes).astype(np.int16)
        dense = Dense(
            name=f"fc{k}", inputs=("x",), output="acc", weight=matrix, weight_dtype=weight, flip=np.zeros(mh, np.bool_)
        )
        node = None
        low, high = reach(matrix, x)
        if k < len(sizes) - 2:
            offset, step = (-1, 2) if activation.kind == "bipolar" else (activation.min, 1)
            count = (activation.max - offset) // step
            near = np.sort(rng.normal(0, np.sqrt(mw) * max(1, x.max), (mh, count)), axis=1)
            cuts = np.clip(np.rint(near).astype(np.int64), low[:, None], high[:, None] + 1)
            node = Threshold(
                name="t", inputs=("acc",), output="y", thresholds=cuts, offset=offset, step=step, dtype=activation
            )
        layers.append(
            MatrixLayer(
                name=dense.name,
                inputs=(k - 1,),
                i_shapes=((mw,),),
                o_shape=(mh,),
                i_dtypes=(x,),
                format=activation if node else IntegerRange(int(low.min()), int(high.max())),
                threshold=node,
                node=dense,
                window=None,
            )
        )
        x = activation
    classes = sizes[-1]
    return Network("random", "", (sizes[0],), layers[0].input, tuple(layers), [1] * classes, [0] * classes)


def random_plan(chooser: random.Random, network: Network, family: str) -> Plan:
    interval = chooser.choice([40, 80, 160, 320, 800])
    levels = chooser.choice([None, 2, 2])
    folded = []
    for layer in network.layers:
        assert isinstance(layer, MatrixLayer)
        options = []
        for pe in range(1, layer.mh + 1):
            beats = interval // -(-layer.mh // pe)
            simd = -(-layer.mw // beats) if beats else layer.mw + 1
            if simd <= layer.mw and pe * simd * layer.product.terms <= MAX_LANES[family]:
                options.append((pe, simd))
        pe, simd = chooser.choice(options or [(max(1, layer.mh // 8), max(1, layer.mw // 16))])
        rows = -(-layer.mh // pe) * -(-layer.mw // simd)
        weights = "lut" if rows * pe * simd * layer.weight.bits < 1500 else "block"
        buffer = chooser.choice(["lut", "block"])
        choice: dict[str, Any] = {
            "pe": pe,
            "simd": simd,
            "weight_memory": weights,
            "buffer_memory": buffer,
            "popcount_levels": levels,
        }
        folded.append(replace(layer.unfolded(), **choice))
    return planned(network, tuple(folded), board="", part=find_board(BOARD_OF[family]).part, clock_mhz=12.0)


# What stands around the layers: the boards tell what it takes.
AROUND = (FrameGuard, FrameStatus, LabelSelect)


def some_units(family: str) -> list[tuple[Unit, Contents | None]]:
    """Units of many plans with what they hold, as different as they come, a few of each kind."""
    chooser, rng = random.Random(7), np.random.default_rng(7)
    part = find_board(BOARD_OF[family]).device
    kinds: dict[type[Unit], list[tuple[Unit, Contents | None]]] = {}
    for plan, network in _plans(chooser, rng, family):
        stages = pipeline(plan, network)
        held = contents(plan, network, stages)
        for stage in stages:
            if not isinstance(stage.unit, AROUND) and unit_cost(part, stage.unit).luts <= MAX_LUTS:
                kinds.setdefault(type(stage.unit), []).append((stage.unit, held.get(stage.name)))
    found: list[tuple[Unit, Contents | None]] = []
    for units in kinds.values():
        different = list({repr(sorted(unit.features().items())): (unit, own) for unit, own in units}.values())
        found += chooser.sample(different, min(len(different), UNITS_OF_A_KIND))
    return found


def _plans(chooser: random.Random, rng: np.random.Generator, family: str) -> Iterator[tuple[Plan, Network]]:
    for _ in range(DENSE_NETWORKS):
        network = random_network(rng, chooser.choice(SIZES), chooser.choice(TYPES))
        yield random_plan(chooser, network, family), network
    for model in bnnhw.models():
        for rate in RATES:
            try:
                design = bnnhw.compile(model["name"], board=BOARD_OF[family], fps=rate)
            except BnnhwError:
                continue  # out of reach of this part
            yield design.plan, design.network


def area(unit: Unit, own: Contents | None, family: str) -> int:
    """Logic cells of a unit alone, synthesised as in a design and packed."""
    from amaranth.back import rtlil

    board = find_board(BOARD_OF[family])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        top = rtlil.convert(circuit(unit, own), name="top", platform=board.platform(), emit_src=False)
        (folder / "top.il").write_text(top)
        flow.synthesize(board, folder)
        arguments = [*board.nextpnr, "--json", flow.NETLIST, "--report", flow.ROUTE_REPORT, "--pack-only", "-q"]
        tools.run(tools.NEXTPNR[family], arguments, folder)
        report = flow.read_json(folder / flow.ROUTE_REPORT)
    return int(report["utilization"][LOGIC_CELLS[family]]["used"])


def measure(family: str) -> list[dict[str, Any]]:
    """Synthesises `some_units`."""
    rows = []
    units = some_units(family)
    for k, (unit, own) in enumerate(units):
        features = unit.features()
        try:
            used = area(unit, own, family)
        except ToolError as error:
            print(f"{k + 1} of {len(units)}: {type(unit).__name__}: {error}", flush=True)
            continue
        print(f"{k + 1} of {len(units)}: {type(unit).__name__}: {used} for {features}", flush=True)
        rows.append({"family": family, "unit": type(unit).__name__, "features": features, "lut4": used})
    return rows


def board_rows(family: str) -> list[dict[str, Any]]:
    """The routed designs of the benchmark."""
    rows = []
    for path in sorted((HERE / "results").glob("*.json")):
        result = json.loads(path.read_text())
        if "refused" not in result and PARTS[result["part"]].family == family:
            used = result["report"]["utilization"]
            around = {"board": 1.0, "loader": float(used["spram"]["used"] > 0)}
            rows.append({"features": {**result["features"], **around}, "lut4": used["lut4"]["used"], "name": path.stem})
    return rows


def fit(rows: list[dict[str, Any]], priors: dict[str, float]) -> dict[str, float]:
    names = list(priors)
    # Of a small unit, the error of a few LUTs does not matter.
    scale = np.array([1 / max(row["lut4"], 100) for row in rows])
    matrix = np.array([[row["features"].get(name, 0.0) for name in names] for row in rows]) * scale[:, None]
    wanted = np.array([row["lut4"] for row in rows]) * scale
    prior = np.array(list(priors.values()))
    pull = PULL * np.diag(1 / prior)
    found, _ = nnls(np.vstack([matrix, pull]), np.concatenate([wanted, np.full(len(names), PULL)]))
    errors = (matrix @ found - wanted) / (np.array([row["lut4"] for row in rows]) * scale + 1e-9)
    for row, error in zip(rows, errors, strict=True):
        print(f"  {row['name']:36s} {row['lut4']:7,d} {error:+.1%}")
    boards = np.abs([error for row, error in zip(rows, errors, strict=True) if "board" in row["features"]])
    if len(boards):
        print(f"  of designs on boards: largest error {boards.max():.1%}, mean {boards.mean():.1%}")
    return {name: round(float(value), 3) for name, value in zip(names, found, strict=True)}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--measure", choices=BOARD_OF, help="measure the units of this family again")


def run(options: argparse.Namespace) -> int:
    known = json.loads(DATA.read_text()) if DATA.exists() else []
    if options.measure:
        known = [row for row in known if row["family"] != options.measure] + measure(options.measure)
        write_text(DATA, json.dumps(known, indent=1) + "\n")
    table = {}
    for family in BOARD_OF:
        print(family)
        rows = [{**row, "name": row["unit"]} for row in known if row["family"] == family] + board_rows(family)
        table[family] = fit(rows, PRIOR_OF[family])
    write_text(TABLE, json.dumps(table, indent=1) + "\n")
    return 0
