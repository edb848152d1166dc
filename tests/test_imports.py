"""The import table: which part of the package may know which. Imports inside functions count as well."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import bnnhw

PACKAGE = Path(bnnhw.__file__).parent

BASE = {
    "artifacts",
    "charts",
    "dag_layout",
    "documents",
    "errors",
    "arithmetic",
    "parts",
    "resources",
    "cache",
    "executor",
    "extras",
    "files",
    "hints",
    "layer_table",
    "line",
    "memory_image",
    "packets",
    "progress",
    "reading",
}
ABOVE_REFERENCE = {"ir", "frontend", "passes", "reference"}
HARDWARE = {"units", "dataflow", "gateware", "generate", "toolchain"}

# Part -> the parts that it may import; each may import itself and the base.
TABLE: dict[str, set[str]] = {
    **{name: set() for name in BASE},
    "ir": set(),
    "frontend": {"ir"},
    "passes": {"ir"},
    "reference": {"ir"},
    "units": {"ir"},
    "dataflow": {"ir", "units"},
    "overlay": {"ir", "dataflow"},
    "gateware": set(),
    "generate": {"dataflow", "gateware", "units"},
    "toolchain": {"generate", "dataflow"},
    "host": set(),
    "cli": set(),
    "__main__": {"cli"},
    "design": {"ir", "dataflow", "generate", "toolchain"},
    "verify": ABOVE_REFERENCE | HARDWARE | {"overlay", "host", "design", "inputs"},
    "shipped": set(),
    "inputs": {"ir", "reference", "shipped"},
    "numbers": {"ir", "reference"},
    "graph_picture": {"ir", "frontend"},
    "encoders": {"ir", "passes", "dataflow"},
    "quantisation": ABOVE_REFERENCE | {"inputs"},
    "packaging": {"ir", "reference", "dataflow", "generate", "toolchain", "design", "inputs", "numbers"},
    "compiler": ABOVE_REFERENCE | HARDWARE | {"design", "shipped", "numbers", "graph_picture", "encoders"},
    "builder": HARDWARE | {"design", "shipped", "verify", "encoders"},
    "exploration": ABOVE_REFERENCE | HARDWARE | {"design", "shipped", "inputs", "compiler", "builder"},
}
# The verbs stand above all parts, and the command line knows only them and the base.
TOP = {"__init__", "api"}

SOURCES = sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def module_of(path: Path) -> str:
    parts = ("bnnhw", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node


def imported_modules(path: Path) -> set[str]:
    """Modules of bnnhw that `path` imports, as dotted names."""
    modules = {module_of(source) for source in SOURCES}
    found: set[str] = set()
    for node in imports(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in modules}
        elif node.module in modules:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & modules) or {node.module}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(PACKAGE)) for path in SOURCES])
def test_file_keeps_the_table(path: Path) -> None:
    part = part_of(path)
    for node in imports(path):
        line = f"{path.name}:{node.lineno}"
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{line}: relative import"
            assert all(alias.name != "*" for alias in node.names), f"{line}: star import"
    if part in TOP:
        return
    allowed = BASE | TABLE[part] | {part}
    for module in imported_modules(path):
        if module == "bnnhw":
            assert part == "cli", f"{path}: imports the verbs"
        else:
            other = module.split(".")[1]
            assert other in allowed, f"{path}: {part} must not import {other}"


def test_gateware_knows_no_networks() -> None:
    for path in (PACKAGE / "gateware").rglob("*.py"):
        assert not {module.split(".")[1] for module in imported_modules(path)} & {"ir", "dataflow"}, path


def test_units_know_no_networks_and_no_circuits() -> None:
    for path in (PACKAGE / "units").rglob("*.py"):
        assert {name for name in imported_modules(path) if name.startswith("bnnhw.ir")} <= {"bnnhw.ir.geometry"}, path
    for part in ("arithmetic", "units"):
        for path in (PACKAGE / part).rglob("*.py"):
            for node in imports(path):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
                assert not any(name.split(".")[0] == "amaranth" for name in names), path


def test_first_steps_do_not_know_each_other() -> None:
    trio = {"frontend", "passes", "reference"}
    for name in trio:
        assert not TABLE[name] & trio


def test_table_has_every_part() -> None:
    assert {part_of(path) for path in SOURCES} <= set(TABLE) | TOP


ROOT = PACKAGE.parent
OUTSIDE = sorted(
    path
    for name in ("benchmarks", "boards", "campaigns", "examples", "models", "proofs", "sim")
    for path in (ROOT / name).rglob("*.py")
)


@pytest.mark.parametrize("path", [*SOURCES, *OUTSIDE], ids=lambda path: str(path.relative_to(ROOT)))
def test_only_tests_import_tests(path: Path) -> None:
    for node in imports(path):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        assert all(module.split(".")[0] not in ("tests", "pytest", "conftest") for module in modules), (
            f"{path}:{node.lineno}"
        )


def test_the_package_does_not_know_its_campaigns() -> None:
    for path in SOURCES:
        for node in imports(path):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert not {module.split(".")[0] for module in modules} & {"benchmarks", "campaigns", "proofs"}, path


def test_no_cycles() -> None:
    graph = {module_of(path): imported_modules(path) - {module_of(path)} for path in SOURCES}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail[trail.index(module) :], module))
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*trail, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())
