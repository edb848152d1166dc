from models.families.activations import Fixed
from models.families.family import Family, convnet
from models.families.weights import Integer, Salient

FAMILY = Family(
    title="PB-LLM",
    paper="Shang et al. 2023, arXiv:2310.00034",
    idea="A tenth of the weights, the largest, keep 8 bits; all others become signs times one factor. "
    "Two layers that are added: hardware pays for both in full.",
    dialect="two layers and an Add: signs folded into one, Quant of 8 bits on the other",
    network=lambda images: convnet(
        images,
        first=lambda: Integer(8),
        hidden=Salient,
        last=lambda: Integer(8),
        activation=lambda: Fixed(4, 0.25),
    ),
)
