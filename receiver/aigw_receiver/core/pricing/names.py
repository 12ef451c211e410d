"""What a model may be called in a price book: a name as it was sent, and what is left of it without its wrapping.

A cloud wraps a model's name in its own id (a region, a vendor, a version), and a provider dates its releases. Each rule
below takes one such thing off and is named, so that a match can be explained. No rule takes off a part of a model's own
name: "gpt-4.1-mini" never becomes "gpt-4.1". It knows no prices.
"""

import functools
import re
from typing import Final, NamedTuple

# Names that stand for "none": the gateway's own metrics write "unknown" for a request that failed, Envoy writes "-".
_MISSING: Final = frozenset({"", "-", "unknown"})

# Prefixes of system-defined inference profiles. Source: docs.aws.amazon.com/bedrock/latest/userguide/
# inference-profiles-support.html; "global" since Claude Sonnet 4.
_GEOGRAPHIES: Final = "us-gov|us|eu|apac|jp|au|ca|global"

# The first part of a foundation model's id. Source: docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html
_VENDORS: Final = (
    "ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshotai|moonshot|nvidia|openai|qwen|"
    "stability|twelvelabs|writer|xai|zai"
)

# What routers and OpenAI-compatible endpoints write before a name, with a slash. Names of organisations that also
# publish weights under their slash ("mistralai", "meta-llama") are left alone: those may run on one's own machines.
_PROVIDERS: Final = "openai|azure|anthropic|bedrock|vertex_ai|gemini|google|mistral|deepseek|xai|x-ai|cohere"

_DATE: Final = r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"


class Form(NamedTuple):
    """One way to write a model's name, and the rules that led to it (none: it is as it was sent, but for its case)."""

    name: str
    steps: tuple[str, ...]


class _Rule(NamedTuple):
    """A pattern of whole names, and what the name is without the wrapping."""

    step: str
    pattern: re.Pattern[str]
    result: str
    cloud_only: bool = False
    """only for a name that is known to be a cloud's id: elsewhere "-v2" may be part of a model's name"""


# Wrapping before the name, outermost first; each is taken off once.
_BEFORE: Final = (
    # arn:aws:bedrock:REGION:ACCOUNT:inference-profile/ID, arn:aws:bedrock:REGION::foundation-model/ID. The id of an
    # application inference profile says nothing about its model; it can be listed in the book as it is.
    # The source is docs.aws.amazon.com/bedrock/latest/APIReference/API_InferenceProfileSummary.html
    _Rule("Bedrock ARN", re.compile(r"arn:aws[a-z-]*:bedrock:[^:]*:[^:]*:[a-z-]+/(.+)"), r"\1"),
    # publishers/anthropic/models/ID, with or without projects/…/locations/…; models/ID is the Gemini API's.
    # The source is cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.publishers.models
    _Rule(
        "Vertex path",
        re.compile(r"(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/[^/]+/)?models/([^/]+)"),
        r"\1",
    ),
    _Rule("provider prefix", re.compile(rf"(?:{_PROVIDERS})/(.+)"), r"\1"),
    # Azure cannot have a dot in a deployment's name, and so spells this one model otherwise.
    # The source is learn.microsoft.com/azure/ai-services/openai/concepts/models
    _Rule("Azure spelling", re.compile(r"gpt-35-(.+)"), r"gpt-3.5-\1"),
    _Rule("Bedrock geography", re.compile(rf"(?:{_GEOGRAPHIES})\.((?:{_VENDORS})\..+)"), r"\1"),
    _Rule("Bedrock vendor", re.compile(rf"(?:{_VENDORS})\.(.+)"), r"\1"),
)

# Wrapping behind the name, taken off again and again until none is left.
_BEHIND: Final = (
    # claude-sonnet-4-5@20250929 is the release claude-sonnet-4-5-20250929; @default and @001 are no releases.
    # The source is cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude
    _Rule("Vertex version", re.compile(rf"(.+)@({_DATE})"), r"\1-\2"),
    _Rule("Vertex version", re.compile(r"(.+)@(?:default|latest|\d{3})"), r"\1"),
    # -v1:0, -1:0 and -v1. What has a context size behind it (-v1:0:200k) is provisioned, and not billed by tokens.
    _Rule("Bedrock version", re.compile(r"(.+)-(?:v\d+(?::\d+)?|\d+:\d+)"), r"\1", cloud_only=True),
    # Gemini's stable versions. Source: ai.google.dev/gemini-api/docs/models#model-versions
    _Rule("Gemini version", re.compile(r"(gemini-.+)-\d{3}"), r"\1"),
    _Rule("latest", re.compile(r"(.+)-latest"), r"\1"),
    # gpt-4o-2024-08-06, claude-3-7-sonnet-20250219. Shorter numbers (-0613, -2411) can be other models.
    _Rule("date", re.compile(r"(.+)-20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"), r"\1"),
    _Rule("date", re.compile(rf"(.+)-{_DATE}"), r"\1"),
)

# Things that are taken off the end of one name; real ids have up to three. A client can send any name.
_DEEPEST: Final = 8


def normalise(name: str) -> str:
    """A name as the book and the requests are compared: without case and without spaces around it."""
    return name.strip().lower()


def is_missing(name: str) -> bool:
    """Whether a name says nothing."""
    return normalise(name) in _MISSING


@functools.lru_cache(maxsize=4096)
def forms(model: str) -> tuple[Form, ...]:
    """The names under which a model may stand in a book, the most specific first.

    What stands before a name is taken off last: "us.anthropic.claude-x-v1:0" is sought as "us.anthropic.claude-x"
    before it is sought as "claude-x", since a region can have a price of its own.
    """
    found: dict[str, tuple[str, ...]] = {}
    name = normalise(model)
    steps: tuple[str, ...] = ()
    is_cloud = "@" in name or re.fullmatch(rf"(?:.*[./])?(?:{_VENDORS})\..+", name) is not None
    _add_shorter(found, name, steps, is_cloud=is_cloud)
    for rule in _BEFORE:
        if match := rule.pattern.fullmatch(name):
            name, steps = match.expand(rule.result), (*steps, rule.step)
            _add_shorter(found, name, steps, is_cloud=is_cloud)
    return tuple(Form(*item) for item in found.items())


def _add_shorter(found: dict[str, tuple[str, ...]], name: str, steps: tuple[str, ...], *, is_cloud: bool) -> None:
    """Add a name, and what is left of it as one thing after the other is taken off its end."""
    for _ in range(_DEEPEST):
        found.setdefault(name, steps)
        rules = (rule for rule in _BEHIND if is_cloud or not rule.cloud_only)
        rule, match = next(((rule, match) for rule in rules if (match := rule.pattern.fullmatch(name))), (None, None))
        if rule is None or match is None:
            return
        name, steps = match.expand(rule.result), (*steps, rule.step)
