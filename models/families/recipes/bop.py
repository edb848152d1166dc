import torch

from models.families.activations import Sign
from models.families.family import Family, convnet
from models.families.layers import Layer, Norm, Tail
from models.families.weights import LarqSign

ADAPTIVITY, THRESHOLD = 1e-3, 1e-6


class Bop(torch.optim.Optimizer):
    """Flips a binary weight when the average of its gradients points its way and is larger than a threshold."""

    def __init__(self, weights: list[torch.nn.Parameter]) -> None:
        super().__init__(weights, {"lr": ADAPTIVITY})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                average = self.state[weight].setdefault("average", torch.zeros_like(weight))
                average.lerp_(weight.grad, group["lr"])
                weight[(average.abs() > THRESHOLD) & (average.sign() == weight.sign())] *= -1


def optimisers(net: Layer, rate: float) -> list[torch.optim.Optimizer]:
    """Bop for the weights of layers, Adam for those of batch normalisation."""
    binary = [module.weight for module in net.modules() if hasattr(module, "quantiser")]
    chosen = {id(weight) for weight in binary}
    others = [weight for weight in net.parameters() if weight.requires_grad and id(weight) not in chosen]
    return [Bop(binary), torch.optim.Adam(others, lr=rate, fused=True)]


class Flipped(LarqSign):
    """Weights that are signs from the first step: there are no latent ones."""

    def drawn(self, shape: tuple[int, ...]) -> torch.Tensor:
        return super().drawn(shape).sign()


FAMILY = Family(
    title="Bop",
    paper="Helwegen et al. 2019, arXiv:1906.02107",
    idea="No latent weights: an optimiser that flips a sign when its averaged gradient insists. "
    "What comes out is a BNN like any other.",
    dialect="tf2onnx: signs of the weights in the graph, kernels transposed; BipolarQuant for activations, Softmax",
    network=lambda images: convnet(
        images,
        first=Flipped,
        hidden=Flipped,
        last=Flipped,
        activation=Sign,
        norm=lambda channels: Norm(channels, scaled=False, epsilon=1e-3),
        last_norm=True,
        tail=Tail("Softmax"),
    ),
    optimisers=optimisers,
)
