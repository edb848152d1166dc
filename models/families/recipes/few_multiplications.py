from models.families.activations import Fixed
from models.families.family import LATENT_RATE, Family, convnet
from models.families.weights import TernaryConnect

FAMILY = Family(
    title="few multiplications: ternary",
    paper="Lin et al. 2016, arXiv:1510.03009",
    idea="Ternary connect: weights -1, 0 and +1 are drawn in training with the latent weight as expectation. "
    "Activations keep 8 bits; nothing is multiplied.",
    dialect="ternary values folded into the weights; Relu and Quant of 8 bits",
    network=lambda images: convnet(
        images,
        first=TernaryConnect,
        hidden=TernaryConnect,
        last=TernaryConnect,
        activation=lambda: Fixed(8, 2.0**-6),
        bias=True,
        last_norm=True,
    ),
    rate=LATENT_RATE,
)
