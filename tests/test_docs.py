"""The pages: links lead somewhere, and what a page names exists: files, modules, targets, commands, options."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import bnnhw
from benchmarks import __main__ as benchmarks
from bnnhw.cli import parser
from campaigns import __main__ as campaigns

ROOT = Path(bnnhw.__file__).parents[1]
FOLDERS = ("docs", "models", "examples", ".github")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
NAMED = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES]

FENCE = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
INDENTED = re.compile(r"^ {4,}\S.*$", re.MULTILINE)
# A path of letters, with a folder in front.
PATH = re.compile(r"\.?\w[\w.-]*(?:/[\w.-]+)*/?")
SUITES = {"benchmarks": benchmarks.NAMES, "campaigns": campaigns.NAMES}
# A word that stands for any other, or a file that a page tells its reader to write.
PLACEHOLDERS = {"X", "DIR", "S"}
TO_BE_WRITTEN = {"boards/icesugar.py"}


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text())


def code(page: Path) -> Iterator[str]:
    """Code on a page: spans, and lines of blocks."""
    text = page.read_text()
    for block in FENCE.finditer(text):
        yield from block[0].splitlines()[1:-1]
    rest = prose(page)
    yield from SPAN.findall(rest)
    yield from (line.strip() for line in INDENTED.findall(rest))


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    found: set[str] = set()
    for heading in HEADING.findall(prose(page)):
        words = re.sub(r"[^\w\- ]", "", LINK.sub(lambda link: link[0].split("]")[0], heading).lower())
        slug = words.strip().replace(" ", "-")
        count = next(k for k in range(len(found) + 1) if (f"{slug}-{k}" if k else slug) not in found)
        found.add(f"{slug}-{count}" if count else slug)
    return found


@pytest.mark.parametrize("page", NAMED)
def test_links_resolve(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            assert target.startswith(("https:", "mailto:")), target
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.is_relative_to(ROOT) and found.exists(), f"{target} is not there"
        if anchor:
            assert anchor in anchors(found), f"{target}: no such heading; there are {sorted(anchors(found))}"


def test_every_page_can_be_found_from_the_first() -> None:
    found, left = set[Path](), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page in found or page.suffix != ".md" or not page.is_file():
            continue
        found.add(page)
        left += [(page.parent / target.partition("#")[0]).resolve() for target in LINK.findall(prose(page))]
    assert {*(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"} <= found


@pytest.mark.parametrize("page", NAMED)
def test_files_exist(page: Path) -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()}
    parts = {path.name for path in (ROOT / "bnnhw").iterdir() if path.is_dir()}
    for span in code(page):
        if "/" not in span or not PATH.fullmatch(span) or span in TO_BE_WRITTEN:
            continue
        first, *rest = Path(span).parts
        if first not in tops | parts or PLACEHOLDERS & {*rest}:
            continue
        assert (ROOT / span).exists() or (ROOT / "bnnhw" / span).exists(), f"{span} is not there"


@pytest.mark.parametrize("page", NAMED)
def test_modules_exist(page: Path) -> None:
    for span in code(page):
        for module, word in re.findall(r"python -m ([\w.]+)(?: (\w[\w-]*))?", span):
            assert find_spec(module) is not None, f"python -m {module}"
            if module in SUITES and word not in ("", "NAME"):
                assert word in SUITES[module], f"python -m {module} {word}"
        if re.fullmatch(r"bnnhw(\.\w+)+", span):
            resolve(span)


def resolve(dotted: str) -> None:
    """Finds a module, or a name in one."""
    module, _, name = dotted.rpartition(".")
    if find_spec(module) is not None and hasattr(import_module(module), name):
        return
    assert find_spec(dotted) is not None, dotted


@pytest.mark.parametrize("page", NAMED)
def test_targets_exist(page: Path) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for span in code(page):
        for target in re.findall(r"^make (\w+)", span):
            assert target in targets, f"make {target}"


@cache
def commands() -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


@pytest.mark.parametrize("page", NAMED)
def test_commands_exist(page: Path) -> None:
    for span in code(page):
        for line in re.split(r" && | & |; ", span.split(" #")[0].removeprefix("$ ")):
            words = line.split()
            if len(words) < 2 or words[0] != "bnnhw" or not words[1][0].islower():
                continue
            assert words[1] in commands(), line
            known = {name for action in commands()[words[1]]._actions for name in action.option_strings}
            for word in re.findall(r"(?<![\w-])--?[a-z][\w-]*", " ".join(words[2:])):
                assert word in known, f"{line}: no option {word}"


def test_every_command_has_a_section() -> None:
    sections = HEADING.findall(prose(ROOT / "docs" / "cli.md"))
    assert {*commands()} <= {*sections}


def test_the_change_log_keeps_its_format() -> None:
    """Of keepachangelog.com: a section per version, the newest first, and six kinds of changes in it."""
    kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    text = (ROOT / "CHANGELOG.md").read_text()
    assert text.startswith("# Changelog\n")
    first, *released = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert first == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", name) for name in released)
    for section in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]:
        found = re.findall(r"^### (.+)$", section, re.MULTILINE)
        assert found == [kind for kind in kinds if kind in found]
        bodies = re.split(r"^### .+$", section, flags=re.MULTILINE)
        assert not bodies[0].strip()
        assert all(body.strip().startswith("- ") for body in bodies[1:])


def test_forms_ask_for_what_a_report_needs() -> None:
    forms = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert forms
    for form in forms:
        labels = re.findall(r"^ +label: (.+)$", form.read_text(), re.MULTILINE)
        assert {"bnnhw --version", "bnnhw check MODEL --json", "Board"} <= {*labels}, form.name


def test_hooks_are_those_of_make_lint() -> None:
    hooks = re.findall(r"entry: \.venv/bin/(.+)", (ROOT / ".pre-commit-config.yaml").read_text())
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert lint
    wanted = [line.split("$(ENV) ")[1].removesuffix(" .") for line in lint[1].splitlines()]
    assert [hook.removesuffix(" --force-exclude") for hook in hooks] == wanted


def defined(path: Path) -> set[str]:
    """Names that a source file defines at any depth: classes, functions, and what is assigned."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found
