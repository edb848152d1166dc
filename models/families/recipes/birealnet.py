from models.families.activations import Fixed, Sign
from models.families.estimators import polynomial_sign
from models.families.family import WIDTH, Family, Images
from models.families.layers import Chain, Conv, Layer, Norm, Residual
from models.families.residual import STEP, residual_network
from models.families.weights import Scaled


def block() -> list[Layer]:
    """A binary convolution with the real values of its input added behind it."""
    body = Chain(Sign("Sign", polynomial_sign), Conv(WIDTH, WIDTH, 3, Scaled, pad=1), Norm(WIDTH))
    return [Residual(Chain(body, Fixed(8, STEP, relu=False))), Fixed(8, STEP, relu=False)]


def network(images: Images) -> Chain:
    """Two blocks between 8-bit layers."""
    return residual_network(images, lambda: [*block(), *block()])


FAMILY = Family(
    title="Bi-Real Net",
    paper="Liu et al. 2018, arXiv:1808.00278",
    idea="A shortcut around every binary convolution carries integers past the sign. "
    "They need a stream of 8 bits beside the one of 1 bit, and adders.",
    dialect="Sign, factors folded into the weights, zero padding; residuals as Quant of 8 bits",
    network=network,
)
