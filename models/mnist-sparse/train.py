"""Trains mnist-sparse: MNIST, few ternary weights and binary activations, to be folded into logic whole."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from networks import Recipe  # noqa: E402
from training import main  # noqa: E402

RECIPE = Recipe(
    title="mnist-sparse",
    sizes=(784, 256, 10),
    weight_bits=2,
    activation_bits=1,
    input_bits=1,
    input_scale=1.0,
    epochs=30,
    batch=250,
    teacher=(512, 512),
    shift=1,
    fan_in=38,
)

if __name__ == "__main__":
    main(RECIPE, HERE)
