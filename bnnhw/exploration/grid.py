"""From what a user lists to points: every model on every target, at every rate, with every folding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bnnhw.arithmetic.formats import DataType
from bnnhw.dataflow import check_clock, load_folding
from bnnhw.errors import InputError
from bnnhw.exploration.models import ModelFile
from bnnhw.exploration.points import Chosen, Effort, Point, Target
from bnnhw.parts import find_part
from bnnhw.toolchain import find_board
from bnnhw.toolchain.report import digest_of


def find_models(
    models: Sequence[str | Path], input_format: DataType | None, output_tensor: str | None
) -> list[ModelFile]:
    """The models, each once.

    Raises
    ------
    InputError
        If there is none, or one does not exist.
    """
    found = [ModelFile.find(model, input_format, output_tensor) for model in models]
    if not found:
        raise InputError("no model to explore: give one or more")
    return list(dict.fromkeys(found))


def find_targets(boards: Sequence[str], parts: Sequence[str]) -> list[Target]:
    """The boards, then the parts, each once.

    Raises
    ------
    InputError
        If there are neither, or one does not exist.
    """
    targets = []
    files: dict[str, str] = {}
    for name in boards:
        board = find_board(name)
        own = name.endswith(".py")  # of the user: known by its file, wherever the point is measured
        if files.setdefault(board.name, name if own else "") != (name if own else ""):
            raise InputError(f"--board {name}: another board here is called {board.name}, too: rename one")
        targets.append(Target(name if own else board.name, board.part, digest_of(Path(name)) if own else None))
    targets += [Target("", find_part(name).name) for name in parts]
    if not targets:
        raise InputError("one of --board and --part is required")
    return list(dict.fromkeys(targets))


def make_points(
    models: Sequence[ModelFile],
    targets: Sequence[Target],
    rates: Sequence[float | None],
    foldings: Sequence[str | Path | None],
    *,
    clock_mhz: float | None,
    effort: Effort,
) -> list[Point]:
    """All combinations, each once, those of a model together.

    Parameters
    ----------
    rates, foldings
        None for the fastest that fits, and for a folding that the plan finds.

    Raises
    ------
    InputError
        If a folding file cannot be read, or there is to be a bitstream without a board.
    PlanError
        If there is no such clock.
    """
    if clock_mhz is not None:
        check_clock(clock_mhz)
    if effort.build and any(not target.board for target in targets):
        raise InputError("--build makes bitstreams, which are for a --board: --part is for plans")
    if effort.seeds < 1 or (effort.seeds > 1 and not effort.build):
        raise InputError("--seeds is how many routes of each design --build tries: a whole number from 1")
    chosen = [Chosen() if path is None else Chosen(str(path), load_folding(Path(path))) for path in foldings]
    points = [
        Point(model, target, rate, clock_mhz, folding, effort)
        for model in models
        for target in targets
        for rate in rates
        for folding in chosen
    ]
    return list(dict.fromkeys(points))
