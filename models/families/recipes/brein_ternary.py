import torch

from models.families.activations import Fixed
from models.families.estimators import bipolar, through
from models.families.family import Family
from models.families.recipes.brein import network
from models.families.weights import Binary

CUT = 0.05


class Cut(Binary):
    """-1, 0 and +1; zero near zero."""

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        return through(w, bipolar(w) * (w.abs() > CUT))


FAMILY = Family(
    title="BRein, ternary",
    paper="Ando et al. 2018, doi:10.1109/JSSC.2017.2778702",
    idea="The same array in its ternary mode: weights and activations -1, 0 and +1. "
    "A second bit each way, and a network this deep that learns better.",
    dialect="ternary values folded into the weights; Quant of 2 bits, narrow, behind batch normalisation",
    network=lambda images: network(images, Cut, lambda: Fixed(2, 0.75, relu=False, narrow=True)),
    epochs=200,
)
