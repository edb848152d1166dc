from models.families.activations import Input, Sign
from models.families.family import CLASSES, WIDTH, Family, Images
from models.families.layers import Chain, Conv, Dense, Flatten, Norm, Pool
from models.families.weights import Integer, Scaled


def network(images: Images) -> Chain:
    """A block is batch normalisation, sign, convolution, ReLU, pool; the first and last layers keep 8 bits."""
    side = (images.side - 4) // 2
    return Chain(
        Input(images.full),
        Conv(1, WIDTH, 3, lambda: Integer(8)),
        Norm(WIDTH, epsilon=1e-4),
        Sign(),
        Conv(WIDTH, WIDTH, 3, Scaled, bias=True),
        Pool("MaxPool"),
        Norm(WIDTH, epsilon=1e-4),
        Sign(),
        Flatten(),
        Dense(WIDTH * side**2, CLASSES, lambda: Integer(8), bias=True),
    )


FAMILY = Family(
    title="XNOR-Net",
    paper="Rastegari et al. 2016, arXiv:1603.05279",
    idea="Signs times the mean size of each filter's weights; first and last layers in 8 bits. "
    "The factor disappears into thresholds, the 8-bit layers do not. (Without K, the scale of each position.)",
    dialect="factors folded into the weights, bias, BipolarQuant behind batch normalisation; Quant on 8-bit weights",
    network=network,
)
