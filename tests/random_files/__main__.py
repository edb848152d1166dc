"""Tries random files: `python -m tests.random_files --count N --seed S [--save DIR]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from tests.random_files.generator import File, make
from tests.random_files.judge import BAD, GOOD, Verdict, judge


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.random_files", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many files (100)")
    parser.add_argument("--seed", type=int, default=0, help="number of the first (0)")
    parser.add_argument("--save", type=Path, help="folder for the bad files, each with its inputs")
    parser.add_argument("--story", action="store_true", help="tell what each bad file is made of")
    options = parser.parse_args()
    start = time.monotonic()
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seed, options.seed + options.count):
            file = make(seed)
            verdict = judge(file, Path(folder))
            verdicts.append(verdict)
            if verdict.bad:
                print(f"{seed}: {verdict.kind}: {verdict.detail}", flush=True)
                if options.story:
                    print("".join(f"    {line}\n" for line in file.story), end="")
                if options.save:
                    save(file, options.save)
    summary(verdicts, time.monotonic() - start)
    return int(any(verdict.bad for verdict in verdicts))


def save(file: File, folder: Path) -> None:
    """Writes the model, its inputs and its story."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{file.seed}.onnx").write_bytes(file.model.SerializeToString())
    np.savez(folder / f"{file.seed}.npz", inputs=file.inputs)
    (folder / f"{file.seed}.txt").write_text("\n".join(file.story) + "\n")


def summary(verdicts: list[Verdict], seconds: float) -> None:
    """How many files got which verdict, and the details of each by frequency, with the first seed."""
    print(f"\n{len(verdicts)} files in {seconds:.1f} s, {sum(v.flat for v in verdicts)} of them with constant outputs")
    for kind in (*GOOD, *BAD):
        found = [verdict for verdict in verdicts if verdict.kind == kind]
        print(f"{len(found):6} {kind}")
        seeds = defaultdict(list)
        for verdict in found:
            seeds[verdict.detail].append(verdict.seed)
        for detail, count in Counter(verdict.detail for verdict in found).most_common(15):
            if detail:
                print(f"         {count:5}  {detail}  (seed {seeds[detail][0]})")


if __name__ == "__main__":
    sys.exit(main())
