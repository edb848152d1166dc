"""Pages of HTML that load nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
body { font: 15px/1.5 sans-serif; color: #222; background: #fff; max-width: 62em; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; } h2 { font-size: 1.15em; margin-top: 2em; } svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .15em 1.2em .15em 0; vertical-align: top; }
th { font-weight: 600; } .sum { color: #666; }
"""


def document(title: str, sections: Iterable[tuple[str, str]], *, style: str = "") -> str:
    """A page.

    Parameters
    ----------
    sections
        Heading, as text, and content, as HTML, of each; without a heading the content follows what is above it.
    style
        Rules besides those of all pages.
    """
    body = "\n".join(f"<h2>{escape(name)}</h2>\n{content}" if name else content for name, content in sections)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}{style}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def table(rows: Iterable[Sequence[object]], header: Sequence[str] = ()) -> str:
    """A table of texts."""
    lines = ["<tr>" + "".join(f"<th>{escape(name)}</th>" for name in header) + "</tr>"] if header else []
    lines += ["<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows]
    return "<table>\n" + "\n".join(lines) + "\n</table>"
