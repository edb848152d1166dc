from models.families.activations import Sign
from models.families.family import LATENT_RATE, Family, convnet
from models.families.weights import Binary

FAMILY = Family(
    title="BNN",
    paper="Courbariaux et al. 2016, arXiv:1602.02830",
    idea="Weights and activations are signs; gradients pass a sign where its input is between -1 and +1. "
    "Multiplications become XNOR, sums become counts of bits.",
    dialect="signs folded into the weights; Clip and BipolarQuant behind batch normalisation",
    network=lambda images: convnet(
        images,
        first=Binary,
        hidden=Binary,
        last=Binary,
        activation=lambda: Sign("Clip, BipolarQuant"),
        last_norm=True,
    ),
    epochs=200,
    batch=32,
    rate=LATENT_RATE,
)
