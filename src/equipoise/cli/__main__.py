"""The entry of the command: Ctrl-C is one line and code 130 also while Python still imports."""

from __future__ import annotations

import sys


def main() -> None:
    """Import the command and run it on the process's arguments."""
    try:
        from equipoise.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("interrupted before anything was done\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
