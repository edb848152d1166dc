from models.families.activations import DoReFaActivation
from models.families.family import Family, convnet
from models.families.weights import DoReFa, Integer

FAMILY = Family(
    title="DoReFa W1A2",
    paper="Zhou et al. 2016, arXiv:1606.06160",
    idea="k-bit activations from 0 to 1, binary weights with one factor for the layer; first and last in 8 bits. "
    "Two bits of activations are two bit-planes.",
    dialect="TensorFlow: factors folded into the weights; Clip, Mul, Round, Div",
    network=lambda images: convnet(
        images,
        first=lambda: Integer(8),
        hidden=lambda: DoReFa(1),
        last=lambda: Integer(8),
        activation=lambda: DoReFaActivation(2, "Round"),
        last_bias=True,
    ),
)
