from models.families.activations import Fixed
from models.families.family import Family, convnet
from models.families.weights import Ternary

FAMILY = Family(
    title="TWN",
    paper="Li et al. 2016, arXiv:1605.04711",
    idea="Weights -a, 0 and +a: zero below 0.7 of the mean size, a the mean of the others. "
    "The scale disappears into thresholds; zeros cost a second bit.",
    dialect="-a, 0, +a folded into the weights; Relu and Quant of 4 bits",
    network=lambda images: convnet(
        images,
        first=Ternary,
        hidden=Ternary,
        last=Ternary,
        activation=lambda: Fixed(4, 0.25),
        pool="codes",
    ),
)
