"""Trains mnist-cnn: MNIST, binary convolutions whose weights fit the block RAM of a UP5K."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from networks import ConvRecipe  # noqa: E402
from training import main  # noqa: E402

RECIPE = ConvRecipe(
    title="mnist-cnn",
    shape=(1, 28, 28),
    stages=((16, 24), (64,), (96,)),
    sizes=(10,),
    input_bits=2,
    input_scale=1.0,
    epochs=40,
    batch=125,
    rate=4e-2,
    teacher=((16,), (32,), (64,)),
    teacher_epochs=6,
    shift=1,
)

if __name__ == "__main__":
    main(RECIPE, HERE)
