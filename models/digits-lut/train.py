"""Trains digits-lut: scikit-learn's handwritten digits in lookup tables."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from models.lookup.recipe import Recipe  # noqa: E402
from models.lookup.shipped import main  # noqa: E402

RECIPE = Recipe(
    title="digits-lut",
    sizes=(240,),
    levels=(4.5, 10.5),
    epochs=150,
    batch=64,
    temperature=2.0,
    noise=2.0,
)

if __name__ == "__main__":
    main(RECIPE, HERE)
