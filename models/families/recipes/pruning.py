from models.families.activations import Sign
from models.families.family import LATENT_RATE, Family, convnet
from models.families.layers import Layer
from models.families.weights import Binary, Masked


def each_step(net: Layer, done: float) -> None:
    """Cuts what is due."""
    for module in net.modules():
        if isinstance(module, Masked):
            module.prune(done)


FAMILY = Family(
    title="pruning",
    paper="Han et al. 2015, arXiv:1506.02626",
    idea="Three quarters of the hidden weights, the smallest, are cut while the network trains on. "
    "A mask makes signs ternary: zeros are stored, unless weights become logic.",
    dialect="signs times a mask in the graph; GreaterOrEqual, Cast, Mul, Sub for signs",
    network=lambda images: convnet(
        images,
        first=Binary,
        hidden=lambda: Masked(0.25),
        last=Binary,
        activation=lambda: Sign("GreaterOrEqual"),
        last_norm=True,
    ),
    each_step=each_step,
    epochs=200,
    batch=32,
    rate=LATENT_RATE,
)
