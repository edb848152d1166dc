"""Replays the corpus in a process of its own, and tells what every file did there.

    python -m tests.fuzz.replay DOOR

What is written is JSON: for each file whether it was ``taken``, and ``acts``, what Python did meanwhile that reading a
file does not need: other files opened, programs started, classes looked up for a pickle, connections. ``megabytes`` is
how much the process has grown over all files.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from pathlib import Path

from tests.fuzz.doors import CORPUS, DOORS

# Address space beyond what the imports took: what wants more fails, with a MemoryError where Python notices.
ROOM = 2 << 30
STARTS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class", "socket.connect")


def main() -> None:
    door = DOORS[sys.argv[1]]
    acts: list[str] = []
    # Modules are imported when they are first needed.
    own = tuple(os.path.realpath(path) for path in {sys.prefix, sys.base_prefix, *sys.path} if path)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        door.takes(b"", folder)
        door.takes(b"{}", folder)

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            if event in STARTS:
                acts.append(f"{event} {arguments}")
            elif event == "open" and isinstance(arguments[0], (str, bytes)):
                path = os.path.realpath(os.fsdecode(arguments[0]))
                if not path.startswith((*own, os.path.realpath(name))):
                    acts.append(f"open {path}")

        sys.addaudithook(watch)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        acts.clear()
        resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = {}
        for path in sorted((CORPUS / sys.argv[1]).iterdir()):
            content = path.read_bytes()
            acts.clear()
            found[path.name] = {"taken": door.takes(content, folder), "acts": list(acts)}
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"files": found, "megabytes": grown >> 10}))


if __name__ == "__main__":
    main()
