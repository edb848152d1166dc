"""Bad input of every kind: one clear error, status 2, no traceback, and nothing written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bnnhw.models import shipped_models
from tests.cli import mutants
from tests.cli.conftest import CLI, Outcome
from tests.data import shared

DIGITS = "digits-binary"
TFC = "models/qonnx_zoo_tfc/TFC_1W1A.onnx"
FAMILIES = {
    "bytes": mutants.damaged_bytes,
    "gzip": mutants.damaged_gzip,
    "structure": mutants.damaged_structure,
}
# Of each family and source: 3 families x (2 shipped + 1 real model) x 42 = 378 files.
PER_FAMILY = 42


def content_of(source: str) -> bytes:
    return (shared(source) if source == TFC else shipped_models()[source].file).read_bytes()


def assert_clean(outcome: Outcome, name: str) -> None:
    """An error of the user, told in short lines; or a file that is still a model."""
    if outcome.status == 0:
        assert outcome.err == "", name
        return
    lines = outcome.err.splitlines()
    assert outcome.status == 2, name
    assert lines, name
    assert lines[0].startswith("bnnhw: error: "), f"{name}: {outcome.err[:500]}"
    assert "Traceback" not in outcome.err, name
    assert all(len(line) <= 320 and line.isprintable() for line in lines), f"{name}: {outcome.err[:500]!r}"


def assert_refused_alike(cli: CLI, path: Path, name: str) -> bool:
    """`check` and `compile` agree; a refused file leaves nothing behind. Whether it was refused."""
    checked = cli("check", path)
    assert_clean(checked, name)
    if checked.status == 0:
        return False
    assert len(checked.err.splitlines()) <= 2, f"{name}: {checked.err[:500]}"
    folder = path.parent / "work"
    compiled = cli("compile", path, "--board", "icebreaker", "-o", folder)
    assert_clean(compiled, name)
    assert compiled.status == 2, name
    assert compiled.out == "", name
    assert not folder.exists(), name
    return True


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("source", [DIGITS, "digits-ternary", TFC])
def test_damaged_models(cli: CLI, tmp_path: Path, source: str, family: str) -> None:
    path = tmp_path / ("model.onnx.gz" if family == "gzip" else "model.onnx")
    rng = np.random.default_rng([len(source), len(family)])
    refused = 0
    for name, content in FAMILIES[family](content_of(source), rng, PER_FAMILY):
        path.write_bytes(content)
        refused += assert_refused_alike(cli, path, f"{source}, {name}")
    assert refused > PER_FAMILY // 4


@pytest.mark.parametrize(("name", "content"), list(mutants.foreign_files()), ids=lambda value: str(value)[:20])
def test_foreign_files(cli: CLI, tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert assert_refused_alike(cli, path, name)
