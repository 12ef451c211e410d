"""Writes docs/openapi.json, which the receiver answers under /api/openapi.json; with --check it only compares."""

import json
import sys
from pathlib import Path

from aigw_receiver.core.gateways import openapi

PAGE = Path(__file__).parents[1] / "openapi.json"


def main() -> int:
    """Write, or compare."""
    text = json.dumps(openapi.DOCUMENT, indent=2, ensure_ascii=False) + "\n"
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text)
        return 0
    if PAGE.exists() and PAGE.read_text() == text:
        return 0
    sys.stderr.write("docs/openapi.json is not current: run `make docs`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
