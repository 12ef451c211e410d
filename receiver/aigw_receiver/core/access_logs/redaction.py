"""What is taken out of a record before anything is made of it. It knows names and texts, no access logs.

Query strings hold API keys (`?key=`, `?api_key=`), and a format that somebody else wrote may log any header. So this is
applied to every attribute and to the body at the edge, and nothing behind it has seen the original. It is a net, no
proof: a secret in a field whose name does not say so, and that does not look like one, stays.
"""

import dataclasses
import enum
import functools
import re
from collections.abc import Callable
from typing import Final

MASK: Final = "[redacted]"

# Names that say that the value lets its reader act as the caller. Word by word, so that gen_ai.usage.input_tokens
# and token_latency_ttft are no tokens of this kind.
_CREDENTIAL: Final = re.compile(
    r"(?:^|[^a-z0-9])(?:authorization|cookies?|credentials?|passw(?:or)?d|secret|bearer|signature|"
    r"api[-_.]?key|private[-_.]?key|access[-_.]?key|subscription[-_.]?key|"
    r"(?:access|auth|id|refresh|security|session|csrf|xsrf|client|bearer|jwt|api)[-_.]?token)(?:$|[^a-z0-9])"
)
# Names of what is a query string and nothing else; a path's is cut off the path.
_QUERY: Final = re.compile(r"(?:^|[._-])(?:query|query[._-]?string|query[._-]?params)$")
# Names of paths and URLs: everything behind "?" or "#" is cut off.
_LOCATION: Final = re.compile(r"(?:^|[^a-z])(?:path|url|uri|referr?er|location|target)(?:$|[^a-z])")

# Texts that are credentials in whatever field they stand: a scheme of HTTP authentication, and the keys of providers.
_SCHEME: Final = re.compile(r"(?i)\b(bearer|basic)[ \t]+[A-Za-z0-9._~+/=-]{6,}")
_API_KEY: Final = re.compile(r"\bsk-[A-Za-z0-9_-]{16,}")
_USER_INFO: Final = re.compile(r"://[^/\s@]*@")
# What ends a URL in a line of text.
_SEPARATOR: Final = re.compile(r"([\s\"'<>]+)")

# The session of MCP: its beginning tells sessions apart, the whole would do for more (see the operator's format).
_SHORTENED: Final = {"mcp.session.id": 16, "mcp-session-id": 16}


class _Treatment(enum.Enum):
    """What is done with an attribute for its name."""

    PLAIN = enum.auto()
    DROP = enum.auto()
    CUT = enum.auto()
    SHORTEN = enum.auto()


_PLAIN: Final = _Treatment.PLAIN
_DROP: Final = _Treatment.DROP
_CUT: Final = _Treatment.CUT
_SHORTEN: Final = _Treatment.SHORTEN


@functools.lru_cache(maxsize=4096)
def _treatment(name: str) -> _Treatment:
    """What is done with an attribute of this name, whatever the user wants beside."""
    lower = name.lower()
    if is_credential(lower) or _QUERY.search(lower):
        return _DROP
    if lower in _SHORTENED:
        return _SHORTEN
    return _CUT if _LOCATION.search(lower) else _PLAIN


@dataclasses.dataclass(frozen=True, slots=True)
class Redaction:
    """What the user wants taken out beyond the credentials, by name of the attribute in lower case."""

    dropped: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()

    @classmethod
    def of(cls, *, dropped: tuple[str, ...] = (), masked: tuple[str, ...] = ()) -> "Redaction":
        """From names in any case."""
        return cls(frozenset(map(str.lower, dropped)), frozenset(map(str.lower, masked)))

    def attribute(self, name: str, value: str) -> str | None:
        """The value of an attribute as it may be kept; None where it is dropped."""
        treatment = _treatment(name)
        if treatment is not _PLAIN or self.dropped or self.masked:
            lower = name.lower()
            if treatment is _DROP or lower in self.dropped:
                return None
            if lower in self.masked:
                return MASK
            if treatment is _SHORTEN:
                return value[: _SHORTENED[lower]]
            if treatment is _CUT:
                value = value.partition("?")[0].partition("#")[0]
        return text(value)

    def cleaner(self, name: str) -> Callable[[str], str | None]:
        """What `attribute` does with all values of one name."""
        if _treatment(name) is _PLAIN and name.lower() not in self.dropped | self.masked:
            return text
        return functools.partial(self.attribute, name)

    def body(self, value: str) -> str:
        """The text line of a record as it may be kept; "body" can be dropped or masked like an attribute."""
        if not value or "body" in self.dropped:
            return ""
        return MASK if "body" in self.masked else text(value)


DEFAULT: Final = Redaction()


def is_credential(name: str) -> bool:
    """Whether the name of an attribute, in lower case, says that it is a credential."""
    return _CREDENTIAL.search(name) is not None


def text(value: str) -> str:
    """A text without what looks like a credential, and without the query strings of the paths and URLs in it."""
    if "/" in value:
        if "://" in value:
            value = _USER_INFO.sub("://", value)
        if "?" in value:
            value = "".join(map(_without_query, _SEPARATOR.split(value)))
    if " " in value or "\t" in value:
        value = _SCHEME.sub(rf"\1 {MASK}", value)
    return _API_KEY.sub(f"sk-{MASK}", value) if "sk-" in value else value


def _without_query(word: str) -> str:
    """A word without its query string, where what stands before it is a path."""
    before, mark, _ = word.partition("?")
    return before if mark and "/" in before else word
