"""Binary and ternary neural networks as FPGA accelerators, compared bit by bit with the software.

In a notebook::

    import bnnhw
    design = bnnhw.compile("digits-binary", board="icebreaker", folder="work")
    print(design.estimate["cycles_per_inference"])
    print(bnnhw.compare(design, samples=100))
    report = bnnhw.build(design, folder="work", progress=bnnhw.shown)
    bnnhw.program("work")

A model is named by the path of its QONNX file or, if it is shipped, by its name; wherever a verb takes `work`, that is
a model, a folder that `compile` wrote, or a `Design`. What the parts underneath import is loaded when a verb is called.
"""

from bnnhw.api import (
    boards,
    build,
    check,
    compare,
    compile,
    explore,
    export,
    infer,
    load,
    models,
    program,
    report,
    run,
    serve,
    simulate,
)
from bnnhw.progress import shown
from bnnhw.quantisation import quantize

__all__ = [
    "boards",
    "build",
    "check",
    "compare",
    "compile",
    "explore",
    "export",
    "infer",
    "load",
    "models",
    "program",
    "quantize",
    "report",
    "run",
    "serve",
    "shown",
    "simulate",
]
