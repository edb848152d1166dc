from models.families.activations import HalfWaveGaussian
from models.families.family import Family, convnet
from models.families.weights import Integer, Scaled

FAMILY = Family(
    title="HWGQ",
    paper="Cai et al. 2017, arXiv:1702.00953",
    idea="2-bit activations whose steps suit the upper half of a normal distribution; signs times a factor. "
    "Unequal cuts cost nothing: every quantiser is thresholds.",
    dialect="Caffe: an activation is a Sum of steps; factors folded into the weights",
    network=lambda images: convnet(
        images,
        first=lambda: Integer(8),
        hidden=Scaled,
        last=lambda: Integer(8),
        activation=HalfWaveGaussian,
        pool="norm",
    ),
)
