"""``python -m benchmarks NAME`` and ``python -m campaigns NAME``: each name is a module of its package.

Such a module has ``add_options(parser)`` and ``run(options)``, which gives the exit status; the first line of its
docstring is its line in the list, and all of it is what ``--help`` says. Only the chosen one is imported.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def run(package: str, names: Sequence[str], arguments: Sequence[str] | None = None) -> int:
    """Runs one of the modules `names` of `package`, as the command line says; its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog=f"python -m {package}", description=described(package).split("\n")[0])
    commands = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    for name in names:
        text = described(f"{package}.{name.replace('-', '_')}")
        command = commands.add_parser(
            name,
            help=text.split("\n")[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if words[:1] == [name]:
            module = import_module(f"{package}.{name.replace('-', '_')}")
            module.add_options(command)
            command.set_defaults(function=module.run)
    options = parser.parse_args(words)
    return int(options.function(options))


def described(module: str) -> str:
    """The docstring of a module, which is not imported for it."""
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, module
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text()))
    assert text, f"{module} has no docstring"
    return text


def add_only(parser: argparse.ArgumentParser, what: str) -> None:
    """``--only``."""
    parser.add_argument("--only", default="", metavar="TEXT", help=f"{what} whose name holds this text")


def add_again(parser: argparse.ArgumentParser) -> None:
    """``--again``."""
    parser.add_argument("--again", action="store_true", help="what is known already, too")
