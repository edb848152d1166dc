"""Trains mnist-lut-up5k: MNIST in lookup tables, for the smallest part."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from models.lookup.recipe import Recipe  # noqa: E402
from models.lookup.shipped import main  # noqa: E402

RECIPE = Recipe(
    title="mnist-lut-up5k",
    sizes=(910,),
    levels=(0.5,),
    epochs=30,
    wiring_rate=10.0,
    wiring_every=4,
    shift=1,
)

if __name__ == "__main__":
    main(RECIPE, HERE)
