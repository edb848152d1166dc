from models.families.activations import Input, Sign
from models.families.family import CLASSES, LATENT_RATE, WIDTH, Family, Images
from models.families.layers import Chain, Conv, Dense, Flatten, Norm, Pool, Tail
from models.families.weights import Binary


def network(images: Images) -> Chain:
    """Two blocks of convolution, overlapping pool, batch normalisation and sign."""
    side = ((images.side + 1) // 2 + 1) // 2
    return Chain(
        Input(images.full),
        Conv(1, WIDTH, 3, Binary, pad=1, bias=True),
        Pool("MaxPool", 3, 2, 1),
        Norm(WIDTH),
        Sign(),
        Conv(WIDTH, WIDTH, 3, Binary, pad=1, bias=True),
        Pool("MaxPool", 3, 2, 1),
        Norm(WIDTH),
        Sign(),
        Flatten(),
        Dense(WIDTH * side**2, CLASSES, Binary),
        Norm(CLASSES),
        Tail("Softmax"),
    )


FAMILY = Family(
    title="eBNN",
    paper="McDanel et al. 2017, arXiv:1709.02260",
    idea="Convolution, pool, batch normalisation and sign are one block, so that no sum ever needs to be stored. "
    "A streaming pipeline never stores them anyway.",
    dialect="signs folded into the weights, bias, pools of 3x3 with stride 2; BipolarQuant; Softmax",
    network=network,
    epochs=300,
    rate=LATENT_RATE,
)
