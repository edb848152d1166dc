from models.families.activations import DoReFaActivation
from models.families.family import Family, convnet
from models.families.weights import DoReFa, Integer

FAMILY = Family(
    title="DoReFa W2A2",
    paper="Zhou et al. 2016, arXiv:1606.06160",
    idea="k-bit weights too: a tanh, scaled to 0..1, rounded to thirds: -1, -1/3, 1/3 and 1. "
    "On integers these are -3, -1, 1 and 3.",
    dialect="-1, -1/3, 1/3, 1 folded into the weights; Clip and Quant of 2 bits",
    network=lambda images: convnet(
        images,
        first=lambda: Integer(8),
        hidden=lambda: DoReFa(2),
        last=lambda: Integer(8),
        activation=lambda: DoReFaActivation(2),
        last_bias=True,
    ),
)
