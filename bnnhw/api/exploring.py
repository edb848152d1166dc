"""Many designs side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnnhw.files import claimed

if TYPE_CHECKING:
    from bnnhw.arithmetic.formats import DataType


def explore(
    models: Sequence[str | Path],
    *,
    boards: Sequence[str] = (),
    parts: Sequence[str] = (),
    fps: Sequence[float | None] = (None,),
    foldings: Sequence[str | Path | None] = (None,),
    clock_mhz: float | None = None,
    build: bool = False,
    seeds: int = 1,
    accuracy: str | Path | None = None,
    folder: str | Path | None = None,
    executor: Executor | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    input_format: DataType | None = None,
    output_tensor: str | None = None,
    count: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Plans or builds every model for every board and part, at every rate, with every folding.

    Parameters
    ----------
    fps, clock_mhz
        Inferences per second to reach with the fewest LUTs, at this clock; None among the rates for as many as fit.
    foldings
        Files that fix layers, see `compile`; None among them for a folding that the plan finds.
    build, seeds
        Whether bitstreams are made, and with how many seeds of the placer, of which the fastest route counts. Otherwise
        designs are planned: cycles are exact, LUTs estimated.
    accuracy
        An .npz with ``inputs`` and ``labels`` on which the accuracy of all models is computed. Without it that of
        shipped models is the one on their test set, and of others none is known.
    folder
        Where results.csv, results.json and results.html go, and each answer as soon as it is known: called again after
        an interrupt, with the same arguments or others, what is known is not measured again.
    executor, jobs, scheduler
        Any of `concurrent.futures`, a number of processes on this machine, or the address of a Dask cluster; with none
        of them designs are made one after the other in this process. A script that uses `jobs` needs the usual
        ``if __name__ == "__main__"``, as Python starts it again in each process. Workers on other machines have to see
        the same files under the same paths.
    count
        Called with how many points and accuracies are done, and how many there are.

    Returns
    -------
    list of dict
        A row for each combination, ready for ``pandas.DataFrame``: docs/explore.md lists the columns. Where there is no
        design, ``outcome`` is ``refused`` for one that cannot be, and ``failed`` where a tool or file was at fault,
        which is tried again the next time; ``reason`` tells which.

    Raises
    ------
    InputError
        If a model, board, part or file does not exist, or `folder` cannot be written.
    PlanError
        If there is no such clock.
    ToolError
        If the executor breaks.
    """
    from bnnhw.errors import BnnhwError
    from bnnhw.exploration import grid
    from bnnhw.exploration.accuracy import Accuracy
    from bnnhw.exploration.executors import executor_for
    from bnnhw.exploration.page import make_page
    from bnnhw.exploration.points import Effort
    from bnnhw.exploration.results import KEPT, make_rows, save
    from bnnhw.exploration.running import run
    from bnnhw.exploration.store import Store
    from bnnhw.exploration.tasks import Task, digest

    found = grid.find_models(models, input_format, output_tensor)
    targets = grid.find_targets(boards, parts)
    points = grid.make_points(found, targets, fps, foldings, clock_mhz=clock_mhz, effort=Effort(build, seeds))
    asked = [] if accuracy is None else [Accuracy.on(Path(accuracy), model) for model in found]
    with nullcontext() if folder is None else claimed(Path(folder)):
        store = None if folder is None else Store(Path(folder) / KEPT)
        with executor_for(executor, jobs, scheduler) as workers:
            tasks: list[Task] = [*asked, *points]
            answers = run(tasks, workers, store=store, count=count)
        accuracies = {model.name: model.accuracy for model in found}
        for one in asked:
            answer = answers[digest(one)]
            if isinstance(answer, BnnhwError):
                raise answer
            accuracies[one.model.name] = answer["accuracy"]
        rows = make_rows(points, [answers[digest(point)] for point in points], accuracies)
        if folder is not None:
            save(rows, make_page(rows), Path(folder))
    return rows
