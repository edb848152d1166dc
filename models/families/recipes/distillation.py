from models.families.activations import Input, Relu, Sign
from models.families.family import CLASSES, LATENT_RATE, Family, Images, convnet
from models.families.layers import Chain, Conv, Dense, Flatten, Norm, Pool, Tail
from models.families.weights import Binary, Weights


def teacher(images: Images) -> Chain:
    """A float network, three times as wide."""
    side, width = (images.side - 4) // 2, 48
    return Chain(
        Input(images.full),
        Conv(1, width, 3, Weights),
        Norm(width),
        Relu(),
        Conv(width, width, 3, Weights),
        Norm(width),
        Relu(),
        Pool("MaxPool"),
        Flatten(),
        Dense(width * side**2, CLASSES, Weights, bias=True),
    )


FAMILY = Family(
    title="distillation",
    paper="Hinton et al. 2015, arXiv:1503.02531",
    idea="A BNN learns the softened answers of a float network instead of the labels alone. "
    "In hardware it is the same BNN.",
    dialect="BipolarQuant behind batch normalisation; Div by the temperature and LogSoftmax at the end",
    network=lambda images: convnet(
        images,
        first=Binary,
        hidden=Binary,
        last=Binary,
        activation=Sign,
        last_norm=True,
        tail=Tail("LogSoftmax", 4.0),
    ),
    teacher=teacher,
    rate=LATENT_RATE,
)
