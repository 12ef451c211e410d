"""`python -m cluster.parts [PART…]`: builds what is missing of the cluster tests' programs, and says where they are."""

import argparse
import signal
import sys

from cluster.parts import builder, catalog


def main() -> int:
    """Build, or only look; exit status 1 where something is missing afterwards."""
    parser = argparse.ArgumentParser(prog="python -m cluster.parts", description=__doc__)
    parser.add_argument("part", nargs="*", choices=[[], *catalog.PARTS], help="what to build (everything)")
    parser.add_argument("--check", action="store_true", help="build nothing, only say what is there")
    chosen = parser.parse_args()
    if not chosen.check:
        try:
            builder.Builder(catalog.cache_folder(), _say).build(chosen.part or catalog.PARTS)
        except builder.BuildError as error:
            _say(f"error: {error}")
            return 1
    for part in catalog.PARTS:
        _say(f"{part}: {catalog.find(part) or 'missing'}")
    return 1 if catalog.missing() else 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    # As an interrupt: the build that runs is ended, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
