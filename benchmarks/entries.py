"""What is measured: models, boards, and options of `bnnhw.compile` and `bnnhw.build`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bnnhw
from benchmarks.pages import ROOT
from bnnhw.shipped import model_name
from models.datasets import SHARED

# Third-party networks.
DATA = SHARED

BOARDS = ("icebreaker", "ice40-hx8k-b-evn", "ulx3s-85f")

TFC_1W1A = "models/qonnx_zoo_tfc/TFC_1W1A.onnx"
TFC_2W2A = "models/qonnx_zoo_tfc/TFC_2W2A.onnx"
SFC_1W1A = "models/sfc_zybo/SFC_1W1A.onnx"
KWS_3W3A = "models/qonnx_zoo_kwsmlp_w3a3/kwsmlp_w3a3.onnx"
# Trained here (`python -m benchmarks cifar-cnv`): of the published CNVs with binary activations none is at hand.
CNV_1W1A = "benchmarks/models/cifar-cnv.onnx.gz"
CNV_1W2A = "models/bnn_pynq_cnvW1A2_cifar10/cnvW1A2_cifar10_qonnx.onnx.gz"


# Lookup-table networks are trained for one board each.
LOOKUP = {
    "mnist-lut-up5k": "icebreaker",
    "mnist-lut-hx8k": "ice40-hx8k-b-evn",
    "mnist-lut-ecp5": "ulx3s-85f",
    "digits-lut": "icebreaker",
}


@dataclass(frozen=True)
class Entry:
    """One design to measure.

    Parameters
    ----------
    model
        Name of a shipped model, or path of a file: of one of ours in the checkout, of others under `DATA`.
    board
        The board's name.
    suffix
        What tells this entry from the others of the same model and board; "" for the one without options.
    compile, build
        Options of the two verbs, as JSON can hold them. A folding is named relative to the top of the checkout.
    samples
        How many are compared in simulation.
    levels
        Those of `bnnhw.compare`.
    tested
        Whether the samples are those of the test set that the model's data have, see `models.datasets`.
    """

    model: str
    board: str
    suffix: str = ""
    compile: Mapping[str, Any] = field(default_factory=dict)
    build: Mapping[str, Any] = field(default_factory=dict)
    samples: int = 100
    levels: tuple[str, ...] = ("reference", "rtl")
    tested: bool = False

    @property
    def title(self) -> str:
        """The model's name."""
        return model_name(Path(self.model))

    @property
    def name(self) -> str:
        """Of its result's file, without the ending."""
        return "_".join(filter(None, (self.title, self.board, self.suffix)))

    @property
    def source(self) -> str:
        """What `bnnhw.compile` takes: the shipped model's name, or the path of the file."""
        if "/" not in self.model:
            return self.model
        return str((ROOT if self.model.startswith("benchmarks/") else DATA) / self.model)

    @property
    def present(self) -> bool:
        """Whether the model is at hand."""
        return "/" not in self.model or Path(self.source).is_file()

    @property
    def options(self) -> dict[str, Any]:
        """What makes this entry another one when it changes, as its result records it."""
        return {"compile": dict(self.compile), "build": dict(self.build)}


def entries() -> list[Entry]:
    """All of them, in the order of the tables."""
    shipped = [model["name"] for model in bnnhw.models()]
    plain = [TFC_1W1A, TFC_2W2A, *(name for name in shipped if name not in LOOKUP)]
    tables = [name for name in LOOKUP if name in shipped]
    models = [*plain, *tables, SFC_1W1A, KWS_3W3A, CNV_1W1A, CNV_1W2A]
    found = [
        *(Entry(model, board) for model in plain for board in BOARDS),
        *(
            Entry(model, LOOKUP[model], samples=1000, levels=("reference", "rtl", "netlist"), tested=True)
            for model in tables
        ),
        # Weights of three and of seven times the block RAMs of the part, in its single-port RAM.
        Entry(SFC_1W1A, "icebreaker"),
        Entry(KWS_3W3A, "icebreaker", samples=20),
        # The same plan, with the best of several routes; on ECP5 they take too long.
        *(Entry(TFC_1W1A, board, "seeds", build={"seeds": 8}) for board in BOARDS[:2]),
        # Each weight that is read serves one image.
        Entry(TFC_1W1A, "icebreaker", "one_image", compile={"folding": "benchmarks/foldings/TFC_1W1A_one_image.json"}),
        Entry(TFC_1W1A, "ulx3s-85f", "large", compile={"fps": 8e6, "clock_mhz": 80}),
        # All weights are logic: a frame every cycle.
        Entry("mnist-sparse", "ulx3s-85f", "constant", compile={"fps": 100e6, "clock_mhz": 100}),
        # What `--fps 9300 --clock-mhz 60` plans, with registers behind the weights' block RAM, which bounds the clock.
        Entry(
            CNV_1W1A,
            "ulx3s-85f",
            "9300fps",
            compile={"folding": "benchmarks/foldings/cifar-cnv_ulx3s-85f.json", "clock_mhz": 60},
            samples=3,
        ),
        # The folding that 5,000 inferences per second took, kept so that a better area model does not change it.
        Entry(
            CNV_1W2A,
            "ulx3s-85f",
            "5000fps",
            compile={"folding": "benchmarks/foldings/cnvW1A2_ulx3s-85f.json", "clock_mhz": 54},
            samples=3,
        ),
    ]
    return sorted(found, key=lambda entry: (models.index(entry.model), BOARDS.index(entry.board)))
