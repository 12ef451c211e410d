"""Read an exposition: as a scraper that is timed and throws the text away, or adding up what it says."""

import dataclasses
import http.client
import statistics
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import Final

from bench import processes

CHUNK: Final = 1 << 20
SCRAPE_SECONDS: Final = 300
TEXT: Final = "text/plain;version=0.0.4"
# What Prometheus sends; our receiver keeps book for each scraper, and that is to be part of the cost.
SCRAPER: Final = {"Accept": TEXT, "X-Prometheus-Scrape-Timeout-Seconds": "60", "User-Agent": "Prometheus/3.0.0"}


@dataclasses.dataclass(frozen=True, slots=True)
class Scrape:
    """One scrape: wall-clock and CPU seconds, bytes on the wire, and how far memory rose above its level before."""

    seconds: float
    cpu: float
    size: int
    growth: int


def chunks(url: str, headers: dict[str, str]) -> Iterator[bytes]:
    """The body of GET `url`, piece by piece."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=SCRAPE_SECONDS)
    try:
        connection.request("GET", parts.path, headers=headers)
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            msg = f"{url} answered {response.status}"
            raise RuntimeError(msg)
        while chunk := response.read(CHUNK):
            yield chunk
    finally:
        connection.close()


def scrape(server: processes.Server, *, encoding: str = "identity") -> Scrape:
    """Scrape a server as Prometheus does."""
    server.reset_peak()
    memory, cpu, begin = server.memory(), server.cpu(), time.monotonic()
    size = sum(len(chunk) for chunk in chunks(server.metrics, {**SCRAPER, "Accept-Encoding": encoding}))
    seconds = time.monotonic() - begin
    return Scrape(seconds, server.cpu() - cpu, size, server.memory("VmHWM") - memory)


def mean(scrapes: Sequence[Scrape]) -> Scrape:
    """What a scrape took on average, and the most that memory rose."""
    seconds, cpu = (statistics.fmean(getattr(one, name) for one in scrapes) for name in ("seconds", "cpu"))
    return Scrape(seconds, cpu, scrapes[-1].size, max(one.growth for one in scrapes))


def lines(url: str) -> Iterator[bytes]:
    """The lines of an exposition, read as a person's tool would and not as a scraper."""
    rest = b""
    for chunk in chunks(url, {"Accept": TEXT}):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        msg = f"{url} ends within a line"
        raise RuntimeError(msg)


def totals(server: processes.Server) -> dict[str, tuple[int, float]]:
    """By name of a sample: how many samples there are, and what they add up to."""
    samples: dict[bytes, int] = {}
    sums: dict[bytes, float] = {}
    for line in lines(server.metrics):
        if not line.startswith(b"#"):
            name = line[: line.find(b"{")]
            samples[name] = samples.get(name, 0) + 1
            sums[name] = sums.get(name, 0.0) + float(line[line.rindex(b" ") :])
    return {name.decode(): (count, sums[name]) for name, count in samples.items()}


def wrong_totals(server: processes.Server, expected: dict[str, tuple[int, float]]) -> list[str]:
    """Where a server's exposition differs from what was sent."""
    shown = totals(server)
    return [
        f"{server.name}: {name} shows {shown.get(name)} instead of {value}"
        for name, value in expected.items()
        if value != shown.get(name)
    ]
