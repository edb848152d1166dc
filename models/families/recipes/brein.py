from models.families.activations import Input, Sign
from models.families.family import CLASSES, Family, Images
from models.families.layers import Chain, Dense, Flatten, Norm
from models.families.weights import Binary

LAYERS, WIDTH = 13, 32


def network(images: Images) -> Chain:
    """Thirteen dense layers."""
    layers = [Input(images.full), Flatten(), Dense(images.side**2, WIDTH, Binary), Norm(WIDTH), Sign()]
    for _ in range(LAYERS - 2):
        layers += [Dense(WIDTH, WIDTH, Binary), Norm(WIDTH), Sign()]
    return Chain(*layers, Dense(WIDTH, CLASSES, Binary), Norm(CLASSES))


FAMILY = Family(
    title="BRein",
    paper="Ando et al. 2018, doi:10.1109/JSSC.2017.2778702",
    idea="Thirteen dense layers of 32 binary neurons in one memory array. "
    "Depth costs latency and accuracy; every layer here has its own array.",
    dialect="signs folded into the weights; BipolarQuant behind batch normalisation",
    network=network,
    epochs=400,
)
