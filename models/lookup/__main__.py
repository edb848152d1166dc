"""Trains a lookup-table network on a user's own data: ``python -m models.lookup FILE.csv --label COLUMN -o FOLDER``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import onnx

from models.lookup.recipe import Recipe
from models.lookup.tabular import TableError, read_csv
from models.lookup.training import accuracy, held_out, train
from models.lookup.writer import to_onnx


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.lookup", description=__doc__.split(":")[0] + ".")
    parser.add_argument("file", type=Path, metavar="FILE.csv", help="a line of column names, then a sample a line")
    parser.add_argument("--label", required=True, metavar="COLUMN", help="the column of classes")
    parser.add_argument("--without", action="append", default=[], metavar="COLUMN", help="a column to leave out")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for model.onnx")
    parser.add_argument(
        "--nodes", type=int, nargs="+", default=[100], help="per class, of each layer (default: one of 100)"
    )
    parser.add_argument("--inputs", type=int, default=4, choices=range(2, 7), help="of a node (default: 4)")
    parser.add_argument("--bits", type=int, default=4, help="thresholds of a feature (default: 4)")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--entropy", type=float, default=0.0, help="weight of the area regulariser (default: 0)")
    parser.add_argument(
        "--validate", action="store_true", help="train on five sixths of the training samples, measure on the others"
    )
    options = parser.parse_args()
    if min(options.nodes, default=0) < 1 or options.bits < 1 or options.epochs < 1:
        parser.error("--nodes, --bits and --epochs must be at least 1")
    try:
        data, classes = read_csv(options.file, options.label, without=options.without, seed=options.seed)
    except TableError as error:
        sys.exit(f"lookup: {error}")
    recipe = Recipe(
        title=options.file.stem,
        sizes=tuple(nodes * len(classes) for nodes in options.nodes),
        k=options.inputs,
        levels=options.bits,
        epochs=options.epochs,
        seed=options.seed,
        entropy=options.entropy,
        temperature=options.nodes[-1] ** 0.5 / 3,
    )
    training, test = held_out(data.train, recipe.seed) if options.validate else (data.train, data.test)
    network = train(recipe, training, len(classes))
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "model.onnx"
    onnx.save(to_onnx(network, recipe.title), path)
    right = round(accuracy(network, test), 4)
    print(json.dumps({"model": str(path), "classes": classes, "accuracy": right, "samples": len(test.y)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
