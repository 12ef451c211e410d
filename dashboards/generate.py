"""Writes the dashboards, the chart's copies of them, and a page of docs, from the boards beside it.

python dashboards/generate.py            writes them
python dashboards/generate.py --check    only compares

It needs rules/ on the path: PYTHONPATH=rules.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from board.files import files

TREE: Final = Path(__file__).parents[1]


def main() -> int:
    """Write the files, or with --check tell which are not current."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    arguments = parser.parse_args()
    current = files()
    stale = [path for path, text in current.items() if not _is(TREE / path, text)]
    if arguments.check:
        for path in stale:
            sys.stderr.write(f"{path} is not current: run `make docs`\n")
        return 1 if stale else 0
    for path in stale:
        (TREE / path).parent.mkdir(parents=True, exist_ok=True)
        (TREE / path).write_text(current[path])
    return 0


def _is(file: Path, text: str) -> bool:
    return file.exists() and file.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
