"""The names under which a model is sought in a price book."""

import pytest

from aigw_receiver.core.pricing import names

_ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.mark.parametrize(
    ("sent", "expected", "steps"),
    [
        ("GPT-4o ", "gpt-4o", ()),
        ("gpt-4o-2024-08-06", "gpt-4o", ("date",)),
        ("claude-3-7-sonnet-20250219", "claude-3-7-sonnet", ("date",)),
        ("claude-3-7-sonnet-latest", "claude-3-7-sonnet", ("latest",)),
        ("openai/gpt-4o", "gpt-4o", ("provider prefix",)),
        ("gpt-35-turbo", "gpt-3.5-turbo", ("Azure spelling",)),
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude-sonnet-4-5",
            ("Bedrock geography", "Bedrock vendor", "Bedrock version", "date"),
        ),
        ("anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku", ("Bedrock vendor", "Bedrock version", "date")),
        ("global.anthropic.claude-opus-4-6-v1", "global.anthropic.claude-opus-4-6", ("Bedrock version",)),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "anthropic.claude-3-5-sonnet", ("Bedrock version", "date")),
        ("us.meta.llama3-3-70b-instruct-v1:0", "meta.llama3-3-70b-instruct", ("Bedrock geography", "Bedrock version")),
        ("openai.gpt-oss-120b-1:0", "openai.gpt-oss-120b", ("Bedrock version",)),
        (_ARN, "eu.anthropic.claude-sonnet-4-5", ("Bedrock ARN", "Bedrock version", "date")),
        (
            "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-pro-v1:0",
            "amazon.nova-pro",
            ("Bedrock ARN", "Bedrock version"),
        ),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929", ("Vertex version",)),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5", ("Vertex version", "date")),
        ("claude-sonnet-4-5@default", "claude-sonnet-4-5", ("Vertex version",)),
        (
            "publishers/anthropic/models/claude-sonnet-4-5@20250929",
            "claude-sonnet-4-5",
            ("Vertex path", "Vertex version", "date"),
        ),
        (
            "projects/p/locations/europe-west1/publishers/google/models/gemini-2.5-pro",
            "gemini-2.5-pro",
            ("Vertex path",),
        ),
        (
            "claude-3-5-sonnet-v2@20241022",
            "claude-3-5-sonnet",
            ("Vertex version", "date", "Bedrock version"),
        ),
        ("gemini-2.0-flash-001", "gemini-2.0-flash", ("Gemini version",)),
        ("models/gemini-2.5-flash", "gemini-2.5-flash", ("Vertex path",)),
    ],
)
def test_forms(sent: str, expected: str, steps: tuple[str, ...]) -> None:
    """A cloud's id, or a dated name, would not find the price of its model, or not say how."""
    assert steps == {form.name: form.steps for form in names.forms(sent)}[expected]


@pytest.mark.parametrize(
    "sent",
    [
        "gpt-4.1-mini",
        "gpt-5.3-codex",
        "gpt-4-0613",
        "gpt-4-0125-preview",
        "mistral-large-2411",
        "ft:gpt-4o-mini-2024-07-18:acme::abc",
        "embed-english-v3.0",
        "some-model-v2",
        "meta-llama/llama-3.3-70b-instruct",
        "mistralai/mistral-7b-instruct-v0.2",
        "deepseek-ai/deepseek-v3",
        "model-20251399",
        "llama3.1:8b",
    ],
)
def test_names_that_are_whole(sent: str) -> None:
    """A model would be priced as another one whose name is a part of its own."""
    assert (names.Form(sent, ()),) == names.forms(sent)


@pytest.mark.parametrize("sent", ["amazon.nova-pro-v1:0:300k", "arn:aws:bedrock:us-east-1:1:provisioned-model/x1"])
def test_what_is_not_billed_by_tokens(sent: str) -> None:
    """Provisioned throughput would be priced as if it were billed by tokens."""
    assert not {form.name for form in names.forms(sent)} & {"amazon.nova-pro", "nova-pro"}


def test_most_specific_first() -> None:
    """The price of a region would be hidden by that of the model."""
    expected = [
        "us.anthropic.claude-x-20250101-v1:0",
        "us.anthropic.claude-x-20250101",
        "us.anthropic.claude-x",
        "anthropic.claude-x-20250101-v1:0",
        "anthropic.claude-x-20250101",
        "anthropic.claude-x",
        "claude-x-20250101-v1:0",
        "claude-x-20250101",
        "claude-x",
    ]
    assert expected == [form.name for form in names.forms("us.anthropic.claude-x-20250101-v1:0")]


def test_names_that_never_end() -> None:
    """A client could take the receiver down by a name that is nothing but wrapping."""
    assert 8 == len(names.forms("m" + "-latest" * 10_000))


@pytest.mark.parametrize(("name", "expected"), [("", True), ("-", True), ("Unknown", True), ("gpt-4", False)])
def test_missing(name: str, expected: bool) -> None:
    """The gateway's word for "none" would be taken for a model."""
    assert expected is names.is_missing(name)
