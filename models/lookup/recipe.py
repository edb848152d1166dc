"""What a lookup-table network is trained by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Sizes of a network, and how it is trained.

    Parameters
    ----------
    title
        The model's name.
    sizes
        Nodes of each layer; the last is a multiple of the number of classes, and each class counts its share's ones.
    k
        Inputs of a node: 4 is a LUT of iCE40 and ECP5, 6 one of larger FPGAs.
    levels
        Bits of a feature: one or more thresholds at quantiles of the training data, or these thresholds.
    epochs, batch, seed
        As everywhere.
    rate
        Of Adam, for tables; it falls with a cosine (Loshchilov and Hutter 2016, arXiv:1608.03983) to a hundredth.
    wiring_rate
        Of the gradient descent with momentum that the scores of the wiring follow; the same cosine.
    wiring_every
        Steps between two changes of the wiring, for time's sake.
    temperature
        What counts are divided by in front of the softmax (difflogic, Petersen et al. 2022, arXiv:2210.08277). Of one
        class's n nodes about a third of the square root of n.
    shift
        Largest distance in pixels that images are moved by; 0 for what are no images.
    noise
        Standard deviation of normal noise on the features, in their own unit: thresholds become a range then, for small
        sets of samples.
    entropy
        Weight of the area regulariser: the share of addresses at which an input makes a difference. A table that has
        lost an input is a smaller one, or none.
    teacher
        Hidden sizes of the float network whose answers are learnt besides the labels (Hinton et al. 2015,
        arXiv:1503.02531); none without.
    teacher_epochs
        Its training.
    """

    title: str
    sizes: tuple[int, ...]
    k: int = 4
    levels: int | tuple[float, ...] = 1
    epochs: int = 20
    batch: int = 256
    seed: int = 1
    rate: float = 1e-2
    wiring_rate: float = 3.0
    wiring_every: int = 2
    temperature: float = 3.3
    shift: int = 0
    noise: float = 0.0
    entropy: float = 0.0
    teacher: tuple[int, ...] = ()
    teacher_epochs: int = 10
