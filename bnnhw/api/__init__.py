"""The verbs: what the command line and a notebook call. Each imports what it needs when it is called."""

from bnnhw.api.building import build, program, report, run, serve
from bnnhw.api.catalogue import boards, models
from bnnhw.api.comparing import compare, infer, simulate
from bnnhw.api.compiling import check, compile, load
from bnnhw.api.exploring import explore
from bnnhw.api.exporting import export

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
    "report",
    "run",
    "serve",
    "simulate",
]
