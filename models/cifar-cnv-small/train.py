"""Trains cifar-cnv-small: CIFAR-10, a narrow sibling of FINN's CNV, on 800 images unless `--data` has more."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from networks import ConvRecipe  # noqa: E402
from training import main  # noqa: E402

RECIPE = ConvRecipe(
    title="cifar-cnv-small",
    shape=(3, 32, 32),
    stages=((16, 16), (32, 32), (64, 64)),
    sizes=(64, 10),
    input_bits=8,
    input_scale=255.0,
    epochs=150,
    batch=50,
    rate=2e-2,
    teacher=((32,), (64,), (64,)),
    teacher_epochs=60,
    shift=4,
    mirror=True,
)

if __name__ == "__main__":
    main(RECIPE, HERE)
