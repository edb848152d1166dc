"""The tables in the pages of the documentation.

A table stands between two comments, ``<!-- table: NAME -->`` and ``<!-- end of table -->``. What measures it writes it
there with `put`; the text around it is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from bnnhw.files import write_text

ROOT = Path(__file__).resolve().parent.parent
PLACE = re.compile(r"(?<=<!-- table: )(\w+) -->\n(.*?)(?=<!-- end of table -->)", re.DOTALL)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def tables_of(page: Path) -> dict[str, str]:
    """The tables in `page`, by name."""
    return {place[1]: place[2] for place in PLACE.finditer(page.read_text())}


def put(page: str, name: str, table: str, root: Path = ROOT) -> None:
    """Replaces a table, and says so.

    Parameters
    ----------
    page
        Its path from `root`, the top of the checkout.

    Raises
    ------
    KeyError
        If the page has no place for it.
    """
    path = root / page
    if name not in tables_of(path):
        raise KeyError(f"{page} has no place for the table {name}")
    text = PLACE.sub(lambda place: f"{name} -->\n{table}" if place[1] == name else place[0], path.read_text())
    write_text(path, text)
    print(f"{page}: table {name} written")
