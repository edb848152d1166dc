from models.families.activations import Fixed, Input, Sign
from models.families.estimators import polynomial_sign
from models.families.family import CLASSES, WIDTH, Family, Images
from models.families.layers import Chain, Conv, Dense, Flatten, Layer, Norm, Pool, Residual
from models.families.weights import Integer, Scaled

STEP = 2.0**-4


def block() -> list[Layer]:
    """A binary convolution with the real values of its input added behind it."""
    body = Chain(Sign("Sign", polynomial_sign), Conv(WIDTH, WIDTH, 3, Scaled, pad=1), Norm(WIDTH))
    return [Residual(Chain(body, Fixed(8, STEP, relu=False))), Fixed(8, STEP, relu=False)]


def network(images: Images) -> Chain:
    """Two blocks between 8-bit layers."""
    side = (images.side - 2) // 2
    return Chain(
        Input(images.full),
        Conv(1, WIDTH, 3, lambda: Integer(8)),
        Norm(WIDTH),
        Fixed(8, STEP, relu=False),
        *block(),
        *block(),
        Pool("AveragePool"),
        Fixed(8, STEP, relu=False),
        Flatten(),
        Dense(WIDTH * side**2, CLASSES, lambda: Integer(8), bias=True),
    )


FAMILY = Family(
    title="Bi-Real Net",
    paper="Liu et al. 2018, arXiv:1808.00278",
    idea="A shortcut around every binary convolution carries integers past the sign. "
    "They need a stream of 8 bits beside the one of 1 bit, and adders.",
    dialect="Sign, factors folded into the weights, zero padding; residuals as Quant of 8 bits",
    network=network,
)
