"""How a file, the environment and flags become the settings. It opens nothing but the configuration file."""

import dataclasses
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from aigw_receiver.core import keys
from aigw_receiver.settings import Settings

# The prefix of the environment variables that override the file: AIGW_RECEIVER_OTLP_GRPC and so on.
ENVIRONMENT_PREFIX: Final = "AIGW_RECEIVER_"

# The keys that a flag and an environment variable override.
OVERRIDES: Final = ("listen.otlp_grpc", "listen.otlp_http", "listen.http", "listen.telemetry", "data_dir")

# A value of a header that is that of an environment variable.
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class SettingsError(Exception):
    """A setting cannot be used; the message names its path and what was expected there."""


def read_settings(document: object, overrides: Mapping[str, object]) -> Settings:
    """Settings from a parsed YAML document, and from values that override it by path ("listen.http")."""
    merged = document if document is not None else {}
    for path, value in overrides.items():
        *parents, last = path.split(".")
        node: Any = merged if isinstance(merged, dict) else _no_mapping("the file", merged)
        for parent in parents:
            if node.get(parent) is None:
                node[parent] = {}
            node = node[parent] if isinstance(node[parent], dict) else _no_mapping(parent, node[parent])
        node[last] = value
    settings: Settings
    try:
        settings = keys.read_section(Settings, "", merged)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return settings


def _no_mapping(path: str, value: object) -> typing.NoReturn:
    message = f"{path}: expected a mapping, got {value!r}"
    raise SettingsError(message)


def _with_headers(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """The settings with the headers that stand in the environment, so that no secret stands in a file."""
    forward = {
        name: dataclasses.replace(
            target, headers=_read_headers(f"access_logs.forward.{name}", target.headers, environment)
        )
        for name, target in settings.access_logs.forward.items()
    }
    prometheus = settings.page.prometheus
    headers = _read_headers("page.prometheus", prometheus.headers, environment)
    return dataclasses.replace(
        settings,
        access_logs=dataclasses.replace(settings.access_logs, forward=forward),
        page=dataclasses.replace(settings.page, prometheus=dataclasses.replace(prometheus, headers=headers)),
    )


def _read_headers(path: str, headers: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    read = dict(headers)
    for header, value in headers.items():
        match = _VARIABLE.fullmatch(value)
        if match is not None:
            if match[1] not in environment:
                message = f"{path}.headers.{header}: the environment variable {match[1]} is not set"
                raise SettingsError(message)
            read[header] = environment[match[1]]
    return read


def load_settings(file: Path | None, flags: Mapping[str, object], environment: Mapping[str, str]) -> Settings:
    """Settings from a file, if there is one, then the environment, then flags; the last one wins.

    Raises SettingsError with one line that says what is wrong, and where.
    """
    file = file or (Path(environment[name]) if (name := f"{ENVIRONMENT_PREFIX}CONFIG") in environment else None)
    document: object = None
    if file is not None:
        try:
            document = yaml.safe_load(file.read_text())
        except OSError as error:
            message = f"{file}: {error.strerror or error}"
            raise SettingsError(message) from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            message = f"{file}: not valid YAML: {' '.join(str(error).split())}"
            raise SettingsError(message) from None
    overrides = {
        path: environment[name]
        for path in OVERRIDES
        if (name := ENVIRONMENT_PREFIX + path.rpartition(".")[2].upper()) in environment
    }
    try:
        return _with_headers(read_settings(document, overrides | dict(flags)), environment)
    except SettingsError as error:
        if file is None:
            raise
        message = f"{file}: {error}"
        raise SettingsError(message) from None
