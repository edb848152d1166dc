"""``completion``: what a shell has to know to complete commands, options, names and files."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import bnnhw
from bnnhw.cli import options
from bnnhw.cli.terminal import write
from bnnhw.hints import did_you_mean
from bnnhw.parts import PARTS

SHELLS = ("bash", "zsh", "fish")
# Where the script goes to be found by every new shell.
PLACES = {
    "bash": "bnnhw completion bash > ~/.local/share/bash-completion/completions/bnnhw",
    "zsh": "bnnhw completion zsh > FOLDER/_bnnhw, with FOLDER in fpath",
    "fish": "bnnhw completion fish > ~/.config/fish/completions/bnnhw.fish",
}


def adder(make_parser: Callable[[], argparse.ArgumentParser]) -> Callable[[options.Commands], None]:
    """What adds the command; `make_parser` gives a parser of all commands."""

    def add_commands(commands: options.Commands) -> None:
        def completion(arguments: Namespace) -> int:
            script = completion_script(make_parser(), arguments.shell)
            write(arguments.json, {"shell": arguments.shell, "script": script}, script)
            return 0

        parser = options.add_command(commands, "completion", completion, "script that completes commands in a shell")
        parser.add_argument("shell", type=shell, choices=SHELLS, help="; ".join(PLACES.values()))

    return add_commands


def shell(text: str) -> str:
    """One of `SHELLS`."""
    if text not in SHELLS:
        hint = did_you_mean(text, SHELLS) or ";"
        raise argparse.ArgumentTypeError(f"no such shell: {text!r}{hint} there are {', '.join(SHELLS)}")
    return text


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script of a shell for all that `parser` parses, and for the models, boards and parts that there are now."""
    import shtab

    boards = [board["name"] for board in bnnhw.boards()]
    models = [model["name"] for families in (False, True) for model in bnnhw.models(families=families)]
    or_files = {"board": boards, "model": models, "work": models}
    for action in _actions(parser):
        if action.dest in or_files:
            _complete(action, _names_or_files(action.dest, or_files[action.dest]))
        elif action.dest == "part":
            action.choices = sorted(PARTS)
        elif action.type is Path:
            _complete(action, shtab.FILE)
    script: str = shtab.complete(parser, shell)
    return script


def _complete(action: argparse.Action, how: object) -> None:
    """Says where shtab looks for it how an argument is completed."""
    action.complete = how  # type: ignore[attr-defined]


def _names_or_files(kind: str, names: Sequence[str]) -> dict[str, Any]:
    """Completion of an argument that is one of `names`, or a path: a function for each shell."""
    words, function = " ".join(names), f"_bnnhw_{kind}"
    return {
        "bash": function,
        "zsh": function,
        "fish": f"({function})",
        "preamble": {
            "bash": f'{function}() {{ compgen -W "{words}" -- "$1"; _shtab_compgen_files "$1"; }}',
            "zsh": f"{function}() {{ compadd -- {words}; _files; }}",
            "fish": f"function {function}\n  printf '%s\\n' {words}\n  __fish_complete_path (commandline -ct)\nend",
        },
    }


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All options and positionals of a parser and of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
