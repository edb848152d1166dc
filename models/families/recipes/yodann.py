from models.families.activations import Fixed
from models.families.family import LATENT_RATE, Family, convnet
from models.families.layers import Scale
from models.families.weights import Binary

Q2_9 = 2.0**-9

FAMILY = Family(
    title="YodaNN",
    paper="Andri et al. 2018, arXiv:1606.05487",
    idea="Binary weights, activations in Q2.9: 12 bits that saturate and are cut off. "
    "A factor and an offset per channel, of 12 bits as well, stand for batch normalisation.",
    dialect="signs folded into the weights; Mul, Add, Quant of 12 bits that rounds down, Relu",
    network=lambda images: convnet(
        images,
        first=Binary,
        hidden=Binary,
        last=Binary,
        norm=lambda channels: Scale(channels, 0.125, Q2_9),
        activation=lambda: Fixed(12, Q2_9, relu=True, signed=True, floor=True),
        last_norm=True,
    ),
    rate=LATENT_RATE,
)
