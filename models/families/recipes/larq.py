from models.families.activations import Sign
from models.families.family import LATENT_RATE, Family, convnet
from models.families.layers import Norm, Tail
from models.families.weights import LarqSign

FAMILY = Family(
    title="Larq",
    paper="Geiger and Plumerai 2020, doi:10.21105/joss.01746",
    idea="A library's way of BNN: ste_sign for weights and activations, batch normalisation without scale. "
    "tf2onnx writes each sign as Sign, Add 0.1, Sign, so that zero becomes +1.",
    dialect="tf2onnx: signs of latent weights in the graph, kernels transposed, Softmax at the end",
    network=lambda images: convnet(
        images,
        first=LarqSign,
        hidden=LarqSign,
        last=LarqSign,
        activation=lambda: Sign("Larq"),
        norm=lambda channels: Norm(channels, scaled=False, epsilon=1e-3),
        last_norm=True,
        tail=Tail("Softmax"),
    ),
    epochs=200,
    batch=32,
    rate=LATENT_RATE,
)
