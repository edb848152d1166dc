"""What the payloads of streams hold, field by field from the low bits on: plain numbers, without Amaranth."""


def frame_fields(bits):
    """Fields of a beat of a frame: `bits` of ``data``, and whether it is the frame's ``last``."""
    return {"data": bits, "last": 1}


def result_fields(width, classes, lanes=1):
    """Fields of a beat of an accelerator's output: `lanes` integers of `width` bits; ``label`` and ``error`` count on
    the ``last`` beat."""
    return {"data": lanes * width, "label": max(1, (classes - 1).bit_length()), "error": 1, "last": 1}
