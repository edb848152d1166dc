"""Names of packages."""

from __future__ import annotations

import pytest

from bnnhw.errors import InputError
from bnnhw.packaging.prefixes import check_prefix, prefix_for


@pytest.mark.parametrize("name", ["net", "Net2", "my_net_2", "a"])
def test_a_good_prefix(name: str) -> None:
    assert check_prefix(name) == name


@pytest.mark.parametrize("name", ["", "2net", "a__b", "_a", "a_", "a-b", "a.b", "é", "a b", "x" * 61])
def test_a_prefix_that_is_no_name(name: str) -> None:
    with pytest.raises(InputError, match="--prefix .*: must be letters"):
        check_prefix(name)


@pytest.mark.parametrize("name", ["module", "logic", "entity", "Signal"])
def test_a_reserved_word(name: str) -> None:
    with pytest.raises(InputError, match=f"--prefix {name}: a reserved word"):
        check_prefix(name)


@pytest.mark.parametrize(
    ("model", "prefix"),
    [
        ("digits-binary", "digits_binary"),
        ("families/bnn", "families_bnn"),
        ("3x3", "nn_3x3"),
        ("reg", "nn_reg"),
        ("日", "nn"),
    ],
)
def test_a_model_gives_its_own(model: str, prefix: str) -> None:
    assert prefix_for(model) == check_prefix(prefix)
