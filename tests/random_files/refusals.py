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
        r"a scale per channel|not evenly spaced|levels that differ from channel|have no common unit|no multiples of it",
        "an integer product needs one scale for all inputs of a sum",
    ),
    Known(
        "sum of scales per channel",
        r"have no common unit",
        "integers of channels with scales of their own have no common unit",
    ),
    Known(
        "sum without a common unit",
        r"have no common unit",
        "integers of scales such as 0.25 and 0.3141 cannot be added",
    ),
    Known(
        "concat without a common unit",
        r"have no common unit|levels that differ from channel",
        "the layer behind it multiplies integers of one scale",
    ),
    Known(
        "arithmetic before a sum",
        r"its input is not quantised|have no common unit",
        "only integers can be added exactly: sums with a bias of their own are floats",
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
        r"its input is not quantised|pads with zeros what has an offset",
        "a mean of sums that are clipped is one of floats; a scale and an offset before it map",
    ),
    Known(
        "clip of a quantised tensor",
        r"not evenly spaced",
        "levels that are cut off between two steps take a table of codes",
    ),
    Known(
        "concat of scales",
        r"a scale per channel|levels that differ from channel|have no common unit",
        "a common unit exists, but the weights get wider than 8 bits by it, or the parts are off its grid",
    ),
    Known(
        "pool of integers behind arithmetic",
        r"values that are not known to be integers",
        "QuantAvgPool2d behind an annotated input, a concatenation, another pool or arithmetic is of integers as well",
    ),
    Known(
        "flattened map",
        r"axes are swapped between layers",
        "the stream's order of a map is pixel by pixel: weights follow, sums and joins with other vectors do not",
    ),
    Known(
        "padding",
        r"padding that no convolution or pool takes|padding in front of|paddings of different values|"
        r"padding with -?[0-9.]+ in front of it",
        "no unit pads a map but the window in front of a convolution or a pool",
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
