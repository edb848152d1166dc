"""What a simulation showed on streams inside a design, see ``sim/recorder.py``; and a waveform of a part of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bnnhw.files import write_text


@dataclass(frozen=True)
class Change:
    """What a stream shows from a cycle on.

    Parameters
    ----------
    valid, ready
        ``0``, ``1``, or what else a simulator calls a bit.
    payload
        None where it is not known or not valid.
    """

    cycle: int
    valid: str
    ready: str
    payload: int | None


@dataclass
class Stream:
    """One stream of a record.

    Parameters
    ----------
    name
        ``<instance>.<stream>``, or the stream alone where it is one of the design's own.
    width
        Bits of the payload.
    changes
        In the order of the cycles.
    """

    name: str
    width: int
    changes: list[Change] = field(default_factory=list)

    def transfers(self, end: int) -> Iterator[tuple[int, int | None]]:
        """Cycle and payload of each beat that was taken before the cycle `end`."""
        ends = [change.cycle for change in self.changes[1:]] + [end]
        for change, until in zip(self.changes, ends, strict=False):
            if change.valid == change.ready == "1":
                for cycle in range(change.cycle, until):
                    yield cycle, change.payload


@dataclass
class Record:
    """Streams, and the number of cycles that they were watched for."""

    streams: dict[str, Stream]
    cycles: int

    @classmethod
    def of(cls, text: str, cycles: int) -> Record:
        """Reads the file of a bench that ran for `cycles` cycles."""
        streams: list[Stream] = []
        for line in text.splitlines():
            first, second, *rest = line.split()
            if first == "stream":
                streams.append(Stream(rest[1], int(rest[0])))
                continue
            known = len(rest) == 2 and rest[1] != "x"
            payload = int(rest[1], 16) if known else None
            streams[int(second, 16)].changes.append(Change(int(first, 16), rest[0][0], rest[0][1], payload))
        return cls({stream.name: stream for stream in streams}, cycles)

    def write_window(self, path: Path, first: int, last: int) -> None:
        """Writes the cycles `first` to `last` as a VCD waveform, 2 ns each, with the clock's edge in the middle.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        first, last = max(0, first), min(last, self.cycles - 1)
        write_text(path, "".join(_vcd(list(self.streams.values()), first, last)))


def _vcd(streams: Sequence[Stream], first: int, last: int) -> Iterator[str]:
    yield "$timescale 1ns $end\n$scope module accelerator $end\n$var wire 1 c clk $end\n$var integer 32 n cycle $end\n"
    for k, stream in enumerate(streams):
        *instance, name = stream.name.split(".")
        lines = [f"$var wire 1 {part}{k} {name}__{label} $end\n" for part, label in (("v", "valid"), ("r", "ready"))]
        lines.append(f"$var wire {stream.width} p{k} {name}__payload $end\n")
        yield from _scoped(instance, lines)
    yield "$upscope $end\n$enddefinitions $end\n"
    shown: dict[int, list[str]] = {}
    for k, stream in enumerate(streams):
        # What a stream shows at the start has been so since the last change before it.
        since = max((change.cycle for change in stream.changes if change.cycle <= first), default=first)
        for change in stream.changes:
            if since <= change.cycle <= last:
                shown.setdefault(max(first, change.cycle), []).extend(_values(change, k))
    for cycle in range(first, last + 1):
        yield f"#{2 * cycle}\n0c\nb{cycle:b} n\n{''.join(shown.get(cycle, []))}#{2 * cycle + 1}\n1c\n"
    yield f"#{2 * last + 2}\n0c\n"


def _scoped(instance: Sequence[str], lines: Iterable[str]) -> Iterator[str]:
    yield from (f"$scope module {name} $end\n" for name in instance)
    yield from lines
    yield from ("$upscope $end\n" for _ in instance)


def _values(change: Change, k: int) -> Iterator[str]:
    yield f"{change.valid.lower()}v{k}\n{change.ready.lower()}r{k}\n"
    yield f"b{'x' if change.payload is None else format(change.payload, 'b')} p{k}\n"
