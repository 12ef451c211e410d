"""`python -m node.parts`: builds what is missing of the node's programs, and says where they are."""

import argparse
import sys

from node import parts


def main() -> int:
    """Build, or only look; exit status 1 where something is missing afterwards."""
    parser = argparse.ArgumentParser(prog="python -m node.parts", description=__doc__)
    parser.add_argument("--check", action="store_true", help="build nothing, only say what is there")
    if not parser.parse_args().check:
        try:
            parts.build(_say)
        except parts.PartError as error:
            _say(f"error: {error}")
            return 1
    for part in parts.PARTS:
        _say(f"{part}: {parts.find(part) or 'missing'}")
    return 1 if parts.missing() else 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
