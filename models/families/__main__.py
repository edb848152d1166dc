"""Trains families, and writes their files beside the recipes: ``python -m models.families [NAME ...]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from models.datasets import SOURCES, Data, Split
from models.families import golden
from models.families.family import CLASSES, Images, families
from models.families.training import logits, train
from models.families.writer import Writer

FULL = {"digits": 16.0, "mnist": 1.0}


def images_of(data: Data) -> tuple[Data, int]:
    """`data` as (N, 1, side, side), and the side."""
    side = round(data.train.x[0].size ** 0.5)
    splits = [Split(split.x.reshape(-1, 1, side, side), split.y) for split in (data.train, data.test)]
    return Data(*splits, data.test_set), side


def main() -> int:
    known = families()
    parser = argparse.ArgumentParser(prog="python -m models.families", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(known)}")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).resolve().parent, help="folder of folders")
    parser.add_argument("--set", choices=FULL, default="digits", help="the data set (default: %(default)s)")
    parser.add_argument("--data", type=Path, help="folder of the data set (default: beside the checkout)")
    parser.add_argument("--epochs", type=int, help="default: the recipe's own")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no such family: {', '.join(unknown)}: there are {', '.join(known)}")
    source = SOURCES[options.set]
    try:
        data, side = images_of(source.read(options.data or source.folder))
    except FileNotFoundError as error:
        sys.exit(f"families: {error}")
    images = Images(side, FULL[options.set])
    for name in options.names or known:
        family = known[name]
        print(f"{name}: {family.title}", flush=True)
        net = train(family, images, data, epochs=options.epochs, seed=options.seed)
        trained = logits(net, data.test.x)
        writer = Writer((1, 1, side, side))
        model = writer.model(name, net.write(writer, "x"), CLASSES)
        accuracy = golden.write(options.output / name, model, family, data, options.set)
        print(f"{name}: {accuracy:.2%} (torch: {(trained.argmax(1) == data.test.y).mean():.2%})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
