from models.families.activations import Fixed
from models.families.family import Family, convnet
from models.families.weights import Integer

FAMILY = Family(
    title="fixed point W8A8",
    paper="Gupta et al. 2015, arXiv:1502.02551; Lin et al. 2016, arXiv:1511.06393",
    idea="Everything in fixed point: 8-bit weights, 8-bit activations, steps that are powers of two. "
    "What binary networks are to be held against.",
    dialect="Quant of 8 bits on latent weights and behind Relu",
    network=lambda images: convnet(
        images,
        first=lambda: Integer(8),
        hidden=lambda: Integer(8),
        last=lambda: Integer(8),
        activation=lambda: Fixed(8, 2.0**-6, signed=True),
        bias=True,
        last_bias=True,
    ),
)
