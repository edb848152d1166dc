from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.errors import InputError
from bnnhw.ir import store
from bnnhw.passes import to_integers
from campaigns.random_graphs import random_graph


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    store.save(to_integers(random_graph(1, "ternary")), tmp_path)
    return tmp_path


def test_comes_back_the_same(saved: Path) -> None:
    graph, again = to_integers(random_graph(1, "ternary")), store.load(saved)
    x = np.random.default_rng(1).uniform(-1, 1, (20, *graph.tensors["x"].shape)).astype(np.float32)
    one, other = reference.run_all(graph, x), reference.run_all(again, x)
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)
    assert [n.source for n in again.nodes] == [n.source for n in graph.nodes]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": 7}', '{"schema": 1}', '{"schema": 1, "nodes": [{"op": "Node"}]}']
)
def test_damaged_structure(saved: Path, text: str) -> None:
    (saved / "graph.json").write_text(text)
    with pytest.raises(InputError, match="compile again"):
        store.load(saved)


def test_damaged_arrays(saved: Path) -> None:
    content = (saved / "tensors.npz").read_bytes()
    (saved / "tensors.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        store.load(saved)
    (saved / "tensors.npz").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        store.load(saved)


def test_changed_structure_is_noticed(saved: Path) -> None:
    content = json.loads((saved / "graph.json").read_text())
    for change in ({"op": "Dense"}, {"inputs": ["nowhere"]}, {"output": "x"}):
        broken = json.loads(json.dumps(content))
        broken["nodes"][3].update(change)
        (saved / "graph.json").write_text(json.dumps(broken))
        with pytest.raises(InputError, match="not a valid graph"):
            store.load(saved)
