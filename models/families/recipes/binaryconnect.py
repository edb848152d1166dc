from models.families.activations import Fixed
from models.families.family import LATENT_RATE, Family, convnet
from models.families.weights import Binary

FAMILY = Family(
    title="BinaryConnect",
    paper="Courbariaux et al. 2015, arXiv:1511.00363",
    idea="Only weights are signs, kept as clipped real numbers while training. "
    "Products become additions and subtractions of 8-bit activations.",
    dialect="signs folded into the weights; Relu and Quant of 8 bits",
    network=lambda images: convnet(
        images,
        first=Binary,
        hidden=Binary,
        last=Binary,
        activation=lambda: Fixed(8, 2.0**-6),
        bias=True,
        last_bias=True,
        last_norm=True,
    ),
    rate=LATENT_RATE,
)
