"""What docs/architecture.md and docs/exactness.md show is what happens."""

from __future__ import annotations

import doctest
import re

import pytest

from tests.test_docs import ROOT
from tests.test_imports import TABLE

PAGE = ROOT / "docs" / "architecture.md"


@pytest.mark.parametrize("name", ["architecture", "exactness"])
def test_sessions_print_what_they_show(name: str) -> None:
    page = ROOT / "docs" / f"{name}.md"
    blocks = re.findall(r"^```pycon\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    assert blocks
    session = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, page.name, str(page), 0)
    told: list[str] = []
    failed, tried = doctest.DocTestRunner(verbose=False).run(session, out=told.append)
    assert not failed, "".join(told)
    assert tried


def test_the_table_of_folders_is_that_of_imports() -> None:
    rows = re.findall(r"^\| `bnnhw/(\w+)/` \|.*\| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
    found = dict(rows)
    assert {*found} == {path.parent.name for path in (ROOT / "bnnhw").glob("*/*.py")}
    assert found.pop("api") == "everything"
    everything = {*found} - {"cli", "host", "verify", "arithmetic", "quantisation", "packaging", "exploration"}
    for folder, imported in found.items():
        text = imported.replace("all of the above", ", ".join(sorted(everything)))
        names = set() if text == "-" else set(text.split(", "))
        assert names == TABLE[folder], folder
