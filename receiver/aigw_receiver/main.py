"""The program `aigw-receiver`: its command line. It reads settings and hands over to the shell."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from aigw_receiver import configuration
from aigw_receiver.shell import logs, memory, price_command, probe_command
from aigw_receiver.shell.server import Server
from aigw_receiver.shell.start_error import StartError

# sysexits.h: EX_USAGE is 64, but the shells' convention for a wrong call, which argparse follows too, is 2.
_BAD_SETTINGS = _WRONG_CALL = 2
_CANNOT_START = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; answers its exit status."""
    parsed = _parser().parse_args(arguments)
    if parsed.command == "price":
        text, status = price_command.run(parsed)
        (sys.stderr if status == _WRONG_CALL else sys.stdout).write(text)
        return status
    if parsed.command == "probe":
        text, status = probe_command.run(parsed)
        (sys.stderr if status else sys.stdout).write(text)
        return status
    flags = {
        path: value
        for path in configuration.OVERRIDES
        if (value := getattr(parsed, path.rpartition(".")[2])) is not None
    }
    try:
        loaded = configuration.load_settings(parsed.config, flags, os.environ)
    except configuration.SettingsError as error:
        return _fail(str(error), _BAD_SETTINGS)
    logs.configure(loaded.log.level)
    memory.share_arena()
    try:
        asyncio.run(Server(loaded).run())
    except StartError as error:
        return _fail(str(error), _CANNOT_START)
    return 0


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"aigw-receiver: {message}\n")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aigw-receiver", description="Turns the OTLP metrics of Envoy AI Gateway into exact Prometheus series."
    )
    parser.add_argument("--version", action="version", version=metadata.version("aigw-telemetry"))
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    price_command.add_arguments(commands.add_parser("price", help="say what a model's tokens cost, and why"))
    probe_command.add_arguments(
        commands.add_parser("probe", help="send one export to a running receiver, and look for it in its series")
    )
    serve = commands.add_parser(
        "serve",
        help="receive, and expose",
        epilog="Each flag has an environment variable, such as AIGW_RECEIVER_OTLP_HTTP; a flag wins over it, and it "
        "wins over the file. All keys of the file: docs/configuration.md.",
    )
    serve.add_argument("--config", type=Path, metavar="FILE", help="configuration, in YAML")
    serve.add_argument(
        "--otlp-grpc",
        action="append",
        metavar="HOST:PORT",
        help="where to take OTLP/gRPC; may be repeated (default 0.0.0.0:4317)",
    )
    serve.add_argument("--otlp-http", metavar="HOST:PORT", help="where to take OTLP/HTTP (default 0.0.0.0:4318)")
    serve.add_argument("--http", metavar="HOST:PORT", help="/metrics of the gateways (default 0.0.0.0:8080)")
    serve.add_argument(
        "--telemetry",
        metavar="HOST:PORT",
        help="/metrics of the receiver itself, /livez, /readyz (default 0.0.0.0:8081)",
    )
    serve.add_argument(
        "--data-dir", metavar="DIR", help="where counts are kept over a restart (default: in memory only)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
