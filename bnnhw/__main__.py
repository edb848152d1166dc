"""``python -m bnnhw``: the command line."""

import sys

from bnnhw.cli import main

if __name__ == "__main__":
    sys.exit(main())
