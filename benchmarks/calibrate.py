"""Fits the area model to routed designs: writes ``bnnhw/dataflow/cost_table.json`` and prints how well it fits.

    python benchmarks/calibrate.py [--measure FAMILY]

The designs are two kinds: random accelerators, each routed alone (their features and areas are kept in
``benchmarks/calibration.json``; ``--measure`` routes them again, half an hour per family), and the boards of
``benchmarks/tables.py``, which also tell what link and clock around an accelerator take. Least squares of relative
errors, no coefficient below zero; a weak pull towards PRIOR settles what the designs do not tell.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from bnnhw.build import tools
from bnnhw.dataflow import Network, Plan, cost, planned
from bnnhw.dataflow.folding import unfolded
from bnnhw.dataflow.layers import MatrixLayer
from bnnhw.design import yosys_for_amaranth
from bnnhw.dtypes import DataType
from bnnhw.errors import ToolError
from bnnhw.files import write_text
from bnnhw.generate.verilog import verilog
from bnnhw.ir.bounds import reach
from bnnhw.ir.nodes import Dense, Threshold
from bnnhw.parts import PARTS

HERE = Path(__file__).resolve().parent
DATA = HERE / "calibration.json"

# Before any measurement: what the gateware's structure suggests, in LUTs per unit of each feature.
PRIOR = {
    "accelerator": 120,
    "layer": 45,
    "lane": 2.5,
    "registered_lane": 0.3,
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
    "board": 600,
    # Convolutions; of these, only designs on boards tell so far.
    "window": 120,
    "window_bit": 1,
    "pool_bit": 3,
    "fork": 8,
    "fifo": 40,
    "fifo_bit": 1,
}
PULL = 0.03

PARTS_OF = {"ice40": "ice40-hx8k", "ecp5": "ecp5-85f"}
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
MOST_LANES = {"ice40": 350, "ecp5": 1000}
DESIGNS = 20


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
        if k < len(sizes) - 2:
            offset, step = (-1, 2) if activation.kind == "bipolar" else (activation.min, 1)
            count = (activation.max - offset) // step
            low, high = reach(matrix, x)
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
                dtype=node and activation,
                threshold=node,
                dense=dense,
                window=None,
            )
        )
        x = activation
    classes = sizes[-1]
    return Network("random", (sizes[0],), layers[0].input, tuple(layers), [1] * classes, [0] * classes)


def random_plan(chooser: random.Random, network: Network, family: str) -> Plan:
    interval = chooser.choice([40, 80, 160, 320, 800])
    levels = chooser.choice([None, 2, 2])
    folded = []
    for layer in network.layers:
        options = []
        for pe in range(1, layer.mh + 1):
            beats = interval // -(-layer.mh // pe)
            simd = -(-layer.mw // beats) if beats else layer.mw + 1
            if simd <= layer.mw and pe * simd * layer.plane_products <= MOST_LANES[family]:
                options.append((pe, simd))
        pe, simd = chooser.choice(options or [(max(1, layer.mh // 8), max(1, layer.mw // 16))])
        rows = -(-layer.mh // pe) * -(-layer.mw // simd)
        weights = "lut" if rows * pe * simd * layer.weight.bits < 1500 else "block"
        buffer = chooser.choice(["lut", "block"])
        choice = {"pe": pe, "simd": simd, "weight_memory": weights, "buffer_memory": buffer, "popcount_levels": levels}
        folded.append(replace(unfolded(layer), **choice))
    return planned(network, tuple(folded), board="", part=PARTS_OF[family], clock_mhz=12.0)


def route(plan: Plan, network: Network, family: str) -> int:
    """Logic cells of the accelerator alone, pins wherever the router likes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with yosys_for_amaranth():
            (folder / "a.v").write_text(verilog(plan, network))
        synthesis = {"ice40": "synth_ice40", "ecp5": "synth_ecp5 -nowidelut"}[family]
        tools.run(tools.YOSYS, ["-q", "-p", f"read_verilog a.v; {synthesis} -top accelerator -json a.json"], folder)
        device = {
            "ice40": ["--hx8k", "--package", "ct256", "--pcf-allow-unconstrained"],
            "ecp5": ["--85k", "--package", "CABGA381", "--lpf-allow-unconstrained"],
        }[family]
        arguments = ["--json", "a.json", "--report", "r.json", "--seed", "1", "--timing-allow-fail", "-q"]
        tools.run(tools.NEXTPNR[family], [*device, *arguments], folder)
        report = json.loads((folder / "r.json").read_text())
    return int(report["utilization"][LOGIC_CELLS[family]]["used"])


def measure(family: str) -> list[dict[str, Any]]:
    """Routes the random designs; those that do not fit are left out."""
    chooser, rng = random.Random(7), np.random.default_rng(7)
    rows = []
    for k in range(DESIGNS):
        network = random_network(rng, chooser.choice(SIZES), chooser.choice(TYPES))
        plan = random_plan(chooser, network, family)
        features = cost.network_features(plan, network)
        if sum(PRIOR[key] * value for key, value in features.items()) > 0.8 * PARTS[PARTS_OF[family]].lut4:
            continue
        try:
            used = route(plan, network, family)
        except ToolError as error:
            print(f"design {k}: {error}", flush=True)
            continue
        print(f"design {k}: {used}", flush=True)
        rows.append({"family": family, "features": features, "lut4": used})
    return rows


def board_rows(family: str) -> list[dict[str, Any]]:
    """The designs of ``benchmarks/tables.py``."""
    rows = []
    for path in sorted((HERE / "results").glob("*.json")):
        result = json.loads(path.read_text())
        if PARTS[result["part"]].family == family:
            used = result["report"]["utilization"]["lut4"]["used"]
            rows.append({"features": {**result["features"], "board": 1.0}, "lut4": used, "name": path.stem})
    return rows


def fit(rows: list[dict[str, Any]]) -> dict[str, float]:
    names = list(PRIOR)
    area = np.array([row["lut4"] for row in rows], float)
    matrix = np.array([[row["features"].get(name, 0.0) for name in names] for row in rows]) / area[:, None]
    prior = np.array([PRIOR[name] for name in names])
    pull = PULL * np.diag(1 / prior)
    found, _ = nnls(np.vstack([matrix, pull]), np.concatenate([np.ones(len(rows)), np.full(len(names), PULL)]))
    errors = matrix @ found - 1
    for row, error in zip(rows, errors, strict=True):
        print(f"  {row.get('name', 'random design'):36s} {row['lut4']:7,d} {error:+.1%}")
    print(f"  largest error {np.abs(errors).max():.1%}, mean {np.abs(errors).mean():.1%}")
    return {name: round(float(value), 3) for name, value in zip(names, found, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--measure", choices=PARTS_OF, help="route the random designs of this family again")
    options = parser.parse_args()
    known = json.loads(DATA.read_text()) if DATA.exists() else []
    if options.measure:
        known = [row for row in known if row["family"] != options.measure] + measure(options.measure)
        write_text(DATA, json.dumps(known, indent=1) + "\n")
    table = {}
    for family in PARTS_OF:
        print(family)
        rows = [row for row in known if row["family"] == family] + board_rows(family)
        table[family] = fit(rows)
    write_text(cost.TABLE, json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
