from models.families.activations import Fixed
from models.families.family import Family, convnet
from models.families.weights import Clustered, Integer

FAMILY = Family(
    title="weight sharing: clusters",
    paper="Han et al. 2016 (Deep Compression), arXiv:1510.00149",
    idea="Each weight is one of four values of its layer, so that two bits tell it. "
    "Here the values themselves are stored, on the grid of the codebook.",
    dialect="Gather from a codebook of multiples of 1/64; Relu and Quant of 4 bits",
    network=lambda images: convnet(
        images,
        first=lambda: Integer(8),
        hidden=Clustered,
        last=Clustered,
        activation=lambda: Fixed(4, 0.25),
    ),
)
