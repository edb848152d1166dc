"""Trains mnist-lut-hx8k: MNIST in lookup tables, for iCE40-HX8K."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from models.lookup.recipe import Recipe  # noqa: E402
from models.lookup.shipped import main  # noqa: E402

RECIPE = Recipe(
    title="mnist-lut-hx8k",
    sizes=(1300,),
    levels=(0.5,),
    epochs=30,
    wiring_rate=10.0,
    wiring_every=4,
    temperature=3.8,
    shift=1,
)

if __name__ == "__main__":
    main(RECIPE, HERE)
