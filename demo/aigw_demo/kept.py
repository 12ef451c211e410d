"""The access logs that the receiver kept, read from the file that it writes them to, while it writes.

Sums and the latest few: a long run keeps more than memory should hold. It must not judge them.
"""

import json
import os
from collections import Counter, deque
from collections.abc import Mapping
from decimal import Decimal
from io import BufferedReader
from pathlib import Path
from typing import Final

Line = Mapping[str, object]

SHOWN: Final = 5


class KeptLogs:
    """What the file has had in it so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.rules: Counter[str] = Counter()
        self.cost = Decimal(0)
        self.latest: deque[Line] = deque(maxlen=SHOWN)
        self._file: BufferedReader | None = None

    def read(self) -> None:
        """Take in what has been written since the last time, from the next file too if the receiver began one."""
        while True:
            try:
                if self._file is None:
                    self._file = self.path.open("rb")
                # Asked before it is read to its end: what is written after the answer is read the next time.
                is_current = os.path.samestat(self.path.stat(), os.fstat(self._file.fileno()))
            except FileNotFoundError:
                # Not yet there, or between two files: the old one has its new name, the new one not yet its own.
                return
            self._read_lines(self._file)
            if is_current:
                return
            self._file.close()
            self._file = None

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_lines(self, file: BufferedReader) -> None:
        """All whole lines; of one that is being written nothing is taken yet."""
        for line in iter(file.readline, b""):
            if not line.endswith(b"\n"):
                file.seek(-len(line), 1)
                return
            self._add(json.loads(line, parse_float=Decimal))

    def _add(self, line: Line) -> None:
        self.count += 1
        self.rules.update(str(line["rules"]).split(","))
        cost = line.get("cost_usd")
        if isinstance(cost, (Decimal, int)):
            self.cost += cost
        self.latest.append(line)
