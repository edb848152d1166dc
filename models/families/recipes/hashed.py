from models.families.activations import Fixed
from models.families.family import Family, convnet
from models.families.weights import Hashed, Integer

FAMILY = Family(
    title="weight sharing: hashes",
    paper="Chen et al. 2015 (HashedNets), arXiv:1504.04788",
    idea="A hash of its place says which of few parameters a weight is, and its sign: an eighth to be stored. "
    "On chip the matrix is spelled out.",
    dialect="Gather from a Quant of 8 bits, times signs; Relu and Quant of 4 bits",
    network=lambda images: convnet(
        images,
        first=lambda: Integer(8),
        hidden=Hashed,
        last=Hashed,
        activation=lambda: Fixed(4, 0.25),
    ),
)
