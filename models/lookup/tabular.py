"""Tables of numbers with a column of classes, such as JSC's and UNSW-NB15's, from a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.datasets import Data, Split

TEST_SHARE = 5  # one sample in so many is for the test


class TableError(Exception):
    """A file that cannot be learnt from; the message names it and says why."""


def read_csv(path: Path, label: str, *, without: Sequence[str] = (), seed: int = 1) -> tuple[Data, list[str]]:
    """The data, and the names of the classes, sorted, by their numbers.

    The file's first line names its columns. All columns but `label` and those in `without` are features and hold
    numbers. One sample in five, drawn by `seed`, is for the test.

    Raises
    ------
    TableError
        If the file is missing or empty, lacks a named column, or has something else than a number as a feature.
    """
    try:
        with path.open(newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except OSError as error:
        raise TableError(f"{path}: {error.strerror}: give the path of a CSV file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: no CSV file: {error}") from None
    if missing := [name for name in (label, *without) if name not in header]:
        raise TableError(f"{path}: no column {missing[0]!r}: its columns are {', '.join(header)}")
    rows = [row for row in rows if row]
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise TableError(f"{path}: row {number + 2} has {len(row)} values for {len(header)} columns")
    features = [k for k, name in enumerate(header) if name != label and name not in without]
    names = sorted({row[header.index(label)] for row in rows})
    if len(names) < 2 or not features:
        raise TableError(f"{path}: {len(names)} classes and {len(features)} features: there is nothing to learn")
    x = np.empty((len(rows), len(features)), np.float32)
    for column, k in enumerate(features):
        try:
            x[:, column] = [float(row[k]) for row in rows]
        except ValueError as error:
            raise TableError(
                f"{path}: column {header[k]!r}: {error}: write it in numbers, or leave it out (--without {header[k]})"
            ) from None
        if not np.isfinite(x[:, column]).all():
            raise TableError(f"{path}: column {header[k]!r} has values that are not finite: leave these samples out")
    y = np.array([names.index(row[header.index(label)]) for row in rows], np.int64)
    order = np.random.default_rng(seed).permutation(len(rows))
    test, train = np.split(order, [len(rows) // TEST_SHARE])
    return Data(Split(x[train], y[train]), Split(x[test], y[test]), "one sample in five, drawn by the seed"), names
