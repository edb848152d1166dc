"""Refusals that are right, each with the trait of a file that excuses it, what the tool says, and why it may."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """A refusal.

    Parameters
    ----------
    trait
        What the generator noted when it put the cause into the file.
    text
        Pattern of the message.
    why
        Why no hardware follows.
    """

    trait: str
    text: str
    why: str


LEGITIMATE = (
    Known(
        "activation scale per channel",
        r"no whole multiples|take more than 32 bits|need \d+ bits",
        "levels off one grid have no integers, and weights that take scales over have sums of up to 32 bits",
    ),
    Known(
        "sum",
        r"take more than 32 bits|need \d+ bits",
        "sums of 32 bits do not hold scales that are far apart, of integers of many bits",
    ),
    Known(
        "arithmetic before a sum",
        r"not quantised",
        "a function of many steps before a sum takes more thresholds than there are",
    ),
    Known(
        "map at the end",
        r"its output is a map",
        "a class per pixel is no answer that the hardware gives",
    ),
    Known(
        "clip behind the last layer",
        r"not a scale and a bias per class",
        "classes that are cut off tie, and their order is lost",
    ),
    Known(
        "mean without padding",
        r"means that leave the padding out",
        "the means at the edges are of fewer values",
    ),
    Known(
        "position",
        r"differs (from position to position|by position|between positions)",
        "a parameter per position instead of per channel takes a threshold per position",
    ),
)

# To be shrunk: what the tool should map one day.
FOR_NOW = (
    Known(
        "arithmetic before a mean",
        r"not quantised",
        "sums behind an activation of many steps take a unit that scales and clips them",
    ),
    Known(
        "concat of scales",
        r"no whole multiples|no value of its",
        "a layer that pads with zeros takes no offset off the grid of one part: it would differ at the edges",
    ),
    Known(
        "pool of integers behind arithmetic",
        r"values that are not known to be integers",
        "QuantAvgPool2d behind an annotated input, a concatenation, another pool or arithmetic is of integers as well",
    ),
    Known(
        "flattened map",
        r"its elements come in another order than layers",
        "the stream's order of a map is pixel by pixel: weights follow, sums and joins with other vectors do not",
    ),
    Known(
        "part",
        r"a part that is scattered over the tensor before it",
        "a range of a map that was flattened with its channels first is no range of the stream",
    ),
    Known(
        "padding",
        r"that no layer takes|paddings of different values",
        "a map that no convolution reads is padded with zeros alone",
    ),
)


def excused(message: str, traits: frozenset[str]) -> tuple[str, bool] | None:
    """The trait that excuses a refusal, and whether only for now; None if nothing does."""
    for for_now, table in ((False, LEGITIMATE), (True, FOR_NOW)):
        for known in table:
            if known.trait in traits and re.search(known.text, message):
                return known.trait, for_now
    return None


def reason(message: str) -> str:
    """A message without the names and numbers of its file: the same for all files refused alike."""
    lines = [line.strip() for line in message.splitlines()]
    text = lines[1] if len(lines) > 1 else lines[0]
    text = re.sub(r"^.*?model\.onnx: |model model: ", "", text)
    text = re.sub(r"\b\w+_\d+\b( \((\w+)\))?", lambda m: m.group(2) or "NODE", text)
    text = re.sub(r"'[^']*'", "NAME", text)
    return re.sub(r"-?\d+(\.\d+)?(e-?\d+)?", "#", text)[:170]
