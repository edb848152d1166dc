"""Replays the corpus in processes of its own, and tells what every file did there.

    python -m tests.fuzz.replay DOOR [DOOR ..]

What is written is JSON, by door: for each file whether it was ``taken``, and ``acts``, what Python did meanwhile that
reading a file does not need: other files opened, programs started, classes looked up for a pickle, connections.
``megabytes`` is how much the process of the door has grown over all files. Each door has a process, forked from one that
has imported what all of them need.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from tests.fuzz.doors import CORPUS, DOORS

# Address space beyond what the imports took: what wants more fails, with a MemoryError where Python notices.
ROOM = 2 << 30
STARTS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class", "socket.connect")


def main() -> None:
    names = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for door in names:
            DOORS[door].takes(b"", folder)  # modules are imported when they are first needed
            DOORS[door].takes(b"{}", folder)
        sys.stdout.flush()
        print(json.dumps({door: _in_child(door, folder) for door in names}))


def _in_child(name: str, folder: Path) -> Any:
    """The report of a door, from a process that ends with it."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reader)
            with open(writer, "w") as pipe:
                json.dump(_replayed(name, folder), pipe)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writer)
    with open(reader) as pipe:
        text = pipe.read()
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise SystemExit(f"{name}: the process of this door failed")
    return json.loads(text)


def _replayed(name: str, folder: Path) -> dict[str, object]:
    door = DOORS[name]
    acts: list[str] = []
    own = tuple(os.path.realpath(path) for path in {sys.prefix, sys.base_prefix, *sys.path} if path)

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event in STARTS:
            acts.append(f"{event} {arguments}")
        elif event == "open" and isinstance(arguments[0], (str, bytes)):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if not path.startswith((*own, os.path.realpath(folder))):
                acts.append(f"open {path}")

    sys.addaudithook(watch)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    acts.clear()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {}
    for path in sorted((CORPUS / name).iterdir()):
        content = path.read_bytes()
        acts.clear()
        found[path.name] = {"taken": door.takes(content, folder), "acts": list(acts)}
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"files": found, "megabytes": grown >> 10}


if __name__ == "__main__":
    main()
