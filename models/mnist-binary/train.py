"""Trains mnist-binary: MNIST, binary weights and activations, small enough for the block RAM of a UP5K."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from networks import Recipe  # noqa: E402
from training import main  # noqa: E402

RECIPE = Recipe(
    title="mnist-binary",
    sizes=(784, 128, 64, 10),
    weight_bits=1,
    activation_bits=1,
    input_bits=2,
    input_scale=1.0,
    epochs=40,
    batch=250,
    teacher=(512, 512),
    shift=1,
)

if __name__ == "__main__":
    main(RECIPE, HERE)
