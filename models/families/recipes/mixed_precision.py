from models.families.activations import Fixed, Input, Sign
from models.families.family import CLASSES, Family, Images
from models.families.layers import Chain, Conv, Dense, Flatten, Norm, Pool
from models.families.weights import Integer, Scaled

WIDTHS = (8, 12, 16)


def network(images: Images) -> Chain:
    """Weights of 8, 4, 1 and 8 bits, activations of 4, 2 and 1."""
    side = (images.side - 4) // 2
    first, second, third = WIDTHS
    return Chain(
        Input(images.full),
        Conv(1, first, 3, lambda: Integer(8, None)),
        Norm(first),
        Fixed(4, 0.25),
        Conv(first, second, 3, lambda: Integer(4, None)),
        Norm(second),
        Fixed(2, 0.5),
        Pool("MaxPool"),
        Conv(second, third, 1, Scaled),
        Norm(third),
        Sign(),
        Flatten(),
        Dense(third * side**2, CLASSES, lambda: Integer(8, 2.0**-5)),
    )


FAMILY = Family(
    title="mixed precision",
    paper="Wang et al. 2019 (HAQ), arXiv:1811.08886",
    idea="Each layer has its own width: 8 bits at both ends, fewer where there are most weights. "
    "An array of bits takes each width for what it is.",
    dialect="QONNX: Quant per channel on weights of 8 and 4 bits, factors folded into signs",
    network=network,
)
