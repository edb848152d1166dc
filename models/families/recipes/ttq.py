from models.families.activations import Fixed
from models.families.family import Family, convnet
from models.families.weights import TrainedTernary

FAMILY = Family(
    title="TTQ",
    paper="Zhu et al. 2017, arXiv:1612.01064",
    idea="Weights -n, 0 and +p: both magnitudes are learned, here on a grid of 1/16. "
    "Two magnitudes need the bits of their grid, not two.",
    dialect="-n, 0, +p folded into the weights; Relu and Quant of 4 bits",
    network=lambda images: convnet(
        images,
        first=TrainedTernary,
        hidden=TrainedTernary,
        last=TrainedTernary,
        activation=lambda: Fixed(4, 0.25),
        pool="codes",
    ),
)
