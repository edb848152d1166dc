"""Trains digits-ternary: scikit-learn's handwritten digits, 8 x 8 pixels."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from networks import Recipe  # noqa: E402
from training import main  # noqa: E402

RECIPE = Recipe(
    title="digits-ternary",
    sizes=(64, 64, 64, 10),
    weight_bits=2,
    activation_bits=2,
    input_bits=3,
    input_scale=16.0,
    epochs=120,
    batch=64,
    teacher=(256, 256),
)

if __name__ == "__main__":
    main(RECIPE, HERE)
