"""The command line of the demo: `make demo`, `make demo SECONDS=30`, `make demo GATEWAY=aigw`, `make demo OPEN=no`."""

import argparse
import asyncio
import sys

from aigw_demo.run import REAL, STANDIN, run


def parse_arguments() -> argparse.Namespace:
    """The flags; `make demo` sets them from GATEWAY, SECONDS and OPEN."""
    parser = argparse.ArgumentParser(
        prog="aigw_demo", description="Real traffic through a gateway into the receiver, with a live table."
    )
    parser.add_argument(
        "--gateway", choices=(STANDIN, REAL), default=STANDIN, help="which gateway to put the traffic on"
    )
    parser.add_argument("--seconds", type=float, default=None, help="end after so many seconds (default: at Ctrl-C)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the page in a browser")
    return parser.parse_args()


def main() -> int:
    """Run the demo; the exit status is 0 only if every number was right."""
    arguments = parse_arguments()
    try:
        return asyncio.run(run(arguments.gateway, arguments.seconds, browse=not arguments.no_browser))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
