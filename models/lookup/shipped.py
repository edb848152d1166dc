"""The command line of the train.py of a shipped lookup-table network."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import onnx

from models.datasets import source_of
from models.lookup.recipe import Recipe
from models.lookup.training import accuracy, held_out, train
from models.lookup.writer import to_onnx


def main(recipe: Recipe, folder: Path) -> None:
    """Trains `recipe` and writes model.onnx into `folder`, unless another one is named."""
    source = source_of(recipe.title)
    parser = argparse.ArgumentParser(description=f"Trains {recipe.title}.")
    parser.add_argument("-o", "--output", type=Path, default=folder, help="folder for model.onnx (default: this one)")
    parser.add_argument("--epochs", type=int, default=recipe.epochs)
    parser.add_argument("--seed", type=int, default=recipe.seed)
    parser.add_argument("--data", type=Path, default=source.folder, help="folder of the data set, see the README")
    parser.add_argument(
        "--validate", action="store_true", help="train on five sixths of the training samples, measure on the others"
    )
    options = parser.parse_args()
    recipe = replace(recipe, epochs=options.epochs, seed=options.seed)
    try:
        data = source.read(options.data)
    except FileNotFoundError as error:
        sys.exit(f"train: {error}")
    training, test = held_out(data.train, recipe.seed) if options.validate else (data.train, data.test)
    network = train(recipe, training, classes=int(data.train.y.max()) + 1)
    right = accuracy(network, test)
    print(f"{recipe.title}: {right:.4f} on {len(test.y)} {'held out' if options.validate else 'test'} samples")
    options.output.mkdir(parents=True, exist_ok=True)
    onnx.save(to_onnx(network, recipe.title), options.output / "model.onnx")
    print(json.dumps({"model": str(options.output / "model.onnx"), "seed": recipe.seed, "epochs": recipe.epochs}))
