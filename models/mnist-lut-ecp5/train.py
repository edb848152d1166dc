"""Trains mnist-lut-ecp5: MNIST in lookup tables, for 10,000 LUT4 of an ECP5."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from models.lookup.recipe import Recipe  # noqa: E402
from models.lookup.shipped import main  # noqa: E402

RECIPE = Recipe(
    title="mnist-lut-ecp5",
    sizes=(2800,),
    levels=(0.25, 0.75),
    epochs=20,
    wiring_rate=20.0,
    wiring_every=8,
    temperature=5.6,
    shift=1,
)

if __name__ == "__main__":
    main(RECIPE, HERE)
