"""The long campaign: every door in turn until the time is up, then what was found.

python -m tests.fuzz [--seconds S] [--only DOOR]
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import HypothesisException

from tests.fuzz.doors import CORPUS, DOORS

# Files of one round; each round has a seed of its own.
ROUND = 100


def one_round(name: str, number: int, counts: Counter[str], folder: Path) -> tuple[bytes, str] | None:
    """Tries files at a door; the smallest one that breaks it, with the traceback."""
    last = b""

    @seed(number)
    @settings(
        max_examples=ROUND,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
    )
    @given(DOORS[name].contents())
    def attempt(content: bytes) -> None:
        nonlocal last
        last = content
        counts["taken" if DOORS[name].takes(content, folder) else "refused"] += 1

    try:
        attempt()
    except HypothesisException:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return last, "".join(traceback.format_exception(error)[-3:])
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600, help="of the whole campaign (default: 600)")
    parser.add_argument("--only", choices=list(DOORS), help="this door alone")
    options = parser.parse_args()
    doors = [options.only] if options.only else list(DOORS)
    counts = {name: Counter[str]() for name in doors}
    start = time.monotonic()
    number = 0
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() - start < options.seconds:
            for name in doors:
                begin = time.monotonic()
                found = one_round(name, number, counts[name], Path(folder))
                counts[name]["seconds"] += round(1000 * (time.monotonic() - begin))
                if found is not None:
                    counts[name]["defects"] += 1
                    content, trace = found
                    path = CORPUS / name / f"found-{hashlib.sha256(content).hexdigest()[:8]}"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                    print(f"{name}: {path}\n{trace}", file=sys.stderr)
            number += 1
    print(f"{'door':10}{'files':>10}{'refused':>10}{'taken':>10}{'defects':>10}{'seconds':>10}")
    for name, count in counts.items():
        files = count["refused"] + count["taken"]
        row = (files, count["refused"], count["taken"], count["defects"], round(count["seconds"] / 1000))
        print(f"{name:10}" + "".join(f"{value:>10,}" for value in row))
    return 1 if any(count["defects"] for count in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
