from models.families.activations import Fixed
from models.families.family import Family, convnet
from models.families.weights import PowerOfTwo

FAMILY = Family(
    title="few multiplications: powers of two",
    paper="Lin et al. 2016, arXiv:1510.03009",
    idea="Weights are signed powers of two, here 1/8 to 1: a product is a shift. "
    "In bit-planes they are 5-bit integers most of whose bits are zero.",
    dialect="powers of two folded into the weights; Relu and Quant of 4 bits",
    network=lambda images: convnet(
        images,
        first=PowerOfTwo,
        hidden=PowerOfTwo,
        last=PowerOfTwo,
        activation=lambda: Fixed(4, 0.25),
    ),
)
