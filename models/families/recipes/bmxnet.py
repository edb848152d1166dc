from models.families.activations import Fixed, Input, Sign, Tanh
from models.families.family import CLASSES, LATENT_RATE, WIDTH, Family, Images
from models.families.layers import Chain, Conv, Counted, Dense, Flatten, Norm, Pool, Tail
from models.families.weights import Binary, Integer


def network(images: Images) -> Chain:
    """The library's LeNet: tanh, then binary layers that count equal bits instead of adding signs."""
    side = (images.side - 4) // 2
    return Chain(
        Input(images.full),
        Conv(1, WIDTH, 3, lambda: Integer(8), bias=True),
        Tanh(),
        Norm(WIDTH),
        Sign(),
        Counted(Conv(WIDTH, WIDTH, 3, Binary)),
        Norm(WIDTH),
        Pool("MaxPool"),
        Sign(),
        Flatten(),
        Counted(Dense(WIDTH * side**2, WIDTH, Binary)),
        Norm(WIDTH),
        Tanh(),
        Fixed(5, 2.0**-4, relu=False),
        Dense(WIDTH, CLASSES, lambda: Integer(8), bias=True),
        Tail("Softmax"),
    )


FAMILY = Family(
    title="BMXNet",
    paper="Yang et al. 2017, arXiv:1705.09864",
    idea="A library's BNN: layers count equal bits, (sum + n) / 2, which is what XNOR and popcount give. "
    "A tanh before a sign or a few levels is thresholds again.",
    dialect="MXNet: Add n and Mul 1/2 behind binary layers, Tanh, Softmax; Quant on 8-bit weights",
    network=network,
    rate=LATENT_RATE,
)
