"""Entries of the table of proofs, and what is asked about them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proofs.engine import Outcome, solve
from proofs.harness import FAMILIES, StreamHarness

# Cycles of the induction that shows the rules of streams for ever.
INDUCTION = 4

WORDS = {"rules": "stream rules", "data": "each beat is the one due", "progress": "no deadlock"}


@dataclass(frozen=True)
class Question:
    """One run of the solver: see `engine.solve`; `property` and `method` are for the table."""

    property: str
    method: str
    mode: str
    depth: int
    make: Callable[[], Any]

    def solve(self) -> Outcome:
        """What the solver says."""
        return solve(self.make(), mode=self.mode, depth=self.depth)


@dataclass(frozen=True)
class StreamCase:
    """A unit with streams, to be proved in a `StreamHarness`.

    Parameters
    ----------
    unit : str
        Its name in the table.
    sizes : str
        What it is parametrised with.
    make : function
        Gives the unit.
    spec : Spec
    depth : int
        Cycles from reset on that are looked at, all of them with any stalls.
    covers : tuple of type
        The units of `bnnhw.units` that this is one of.
    fast : bool
        Whether the test suite proves it.
    """

    unit: str
    sizes: str
    make: Callable[[], Any]
    spec: Any
    depth: int
    covers: tuple[type, ...] = ()
    fast: bool = False

    @property
    def questions(self) -> list[Question]:
        return [self.bounded, self.unbounded, self.faults]

    @property
    def bounded(self) -> Question:
        """Everything, in the first cycles."""
        return Question(
            ", ".join(WORDS[family] for family in FAMILIES), f"all runs of {self.depth} cycles", "bmc", self.depth,
            lambda: StreamHarness(self.make(), self.spec, self.depth),
        )  # fmt: skip

    @property
    def unbounded(self) -> Question:
        """The rules of streams, for ever."""
        return Question(
            WORDS["rules"], f"induction over {INDUCTION} cycles", "prove", INDUCTION,
            lambda: StreamHarness(self.make(), self.spec, self.depth, families=("rules",), sticky=False),
        )  # fmt: skip

    @property
    def faults(self) -> Question:
        """That each property can fail."""
        return Question(
            "each fault is found", f"faults within {self.depth} cycles", "cover", self.depth,
            lambda: StreamHarness(self.make(), self.spec, self.depth, faults=True),
        )  # fmt: skip


@dataclass(frozen=True)
class CountCase:
    """A unit without streams, to be proved by induction over `depth` cycles.

    Parameters
    ----------
    unit, sizes : str
        As of a `StreamCase`.
    says : str
        What is proved.
    check : function
        Gives the harness; with True, one in which a fault may be chosen and that covers a violation.
    depth : int
        Cycles of the induction.
    fast : bool
        Whether the test suite proves it.
    """

    unit: str
    sizes: str
    says: str
    check: Callable[[bool], Any]
    depth: int
    fast: bool = False

    @property
    def questions(self) -> list[Question]:
        return [self.unbounded, self.faults]

    @property
    def unbounded(self) -> Question:
        """What is proved."""
        method = f"induction over {self.depth} cycles"
        return Question(self.says, method, "prove", self.depth, lambda: self.check(False))

    @property
    def faults(self) -> Question:
        """That it can fail."""
        depth = self.depth + 2
        return Question(
            "a wrong bit is found", f"faults within {depth} cycles", "cover", depth, lambda: self.check(True)
        )


@dataclass(frozen=True)
class RunCase(CountCase):
    """A unit to be proved in all runs of `depth` cycles; what was wrong in one of them stays wrong."""

    @property
    def unbounded(self) -> Question:
        """What is proved, of these cycles."""
        method = f"all runs of {self.depth} cycles"
        return Question(self.says, method, "bmc", self.depth, lambda: self.check(False))

    @property
    def faults(self) -> Question:
        """That it can fail."""
        return Question(
            "a wrong bit is found", f"faults within {self.depth} cycles", "cover", self.depth, lambda: self.check(True)
        )


@dataclass(frozen=True)
class Equivalence:
    """One comparison of netlists: see `Question`."""

    property: str
    method: str
    solve: Callable[[], Outcome]
    mode: str = "equivalence"
    depth: int = 0


@dataclass(frozen=True)
class MappedCase:
    """Logic that synthesis has mapped to the cells of a part.

    Parameters
    ----------
    unit, sizes : str
        As of a `StreamCase`.
    equal, faults_found : function
        Whether the cells are what they should be, and differ from what they should not be.
    fast : bool
        Whether the test suite proves it.
    """

    unit: str
    sizes: str
    equal: Callable[[], Outcome]
    faults_found: Callable[[], Outcome]
    fast: bool = False

    @property
    def questions(self) -> list[Equivalence]:
        return [
            Equivalence("the mapped netlist is its tables", "SAT over all inputs", self.equal),
            Equivalence("each fault is found", "faults in tables and wires", self.faults_found),
        ]
