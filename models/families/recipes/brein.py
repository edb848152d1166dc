from collections.abc import Callable
from itertools import pairwise

from models.families.activations import Input, Sign
from models.families.family import CLASSES, Family, Images
from models.families.layers import Chain, Dense, Flatten, Layer, Norm
from models.families.weights import Binary, Weights

LAYERS, WIDTH = 13, 32


def network(images: Images, weights: Callable[[], Weights], activation: Callable[[], Layer]) -> Chain:
    """Thirteen dense layers."""
    sizes = (images.side**2, *[WIDTH] * (LAYERS - 1), CLASSES)
    layers: list[Layer] = [Input(images.full), Flatten()]
    for fan_in, fan_out in pairwise(sizes):
        layers += [Dense(fan_in, fan_out, weights), Norm(fan_out), activation()]
    return Chain(*layers[:-1])


FAMILY = Family(
    title="BRein, binary",
    paper="Ando et al. 2018, doi:10.1109/JSSC.2017.2778702",
    idea="Thirteen dense layers of 32 binary neurons in one memory array. "
    "Depth costs latency and accuracy; every layer here has its own array.",
    dialect="signs folded into the weights; BipolarQuant behind batch normalisation",
    network=lambda images: network(images, Binary, Sign),
    epochs=400,
)
