"""The program `aigw-operator`: its command line. It reads settings and hands over to the shell."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib import metadata

from aigw_operator import settings
from aigw_operator.core import affected, plan
from aigw_operator.settings import Settings
from aigw_operator.shell import doctor_command, errors, logs, operator, render_command, templates
from aigw_operator.shell.kube import KubeClient
from aigw_operator.shell.undo import Undo, UndoError, describe

# The exit status of a wrong call, by the convention that argparse follows too.
_BAD_CALL = 2
_FAILED = 1

# As long as a Helm hook may take by default.
_UNDO_SECONDS = 300.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; answers its exit status."""
    parsed = _parser().parse_args(arguments)
    flags = {name: value for name in settings.KEYS if (value := getattr(parsed, name)) is not None}
    try:
        loaded = settings.load_settings(flags, os.environ)
        logs.configure(loaded.log_level)
        return int(parsed.command(loaded, parsed))
    except (settings.SettingsError, render_command.ManifestError) as error:
        return _fail(str(error), _BAD_CALL)
    except (errors.KubeError, operator.ListenError, operator.WatchError, UndoError) as error:
        return _fail(str(error), _FAILED)


def _run(loaded: Settings, _: argparse.Namespace) -> int:
    asyncio.run(operator.run(loaded, planner=plan, affected=affected, templates=templates.load_templates()))
    return 0


def _undo(loaded: Settings, parsed: argparse.Namespace) -> int:
    return asyncio.run(_undo_all(loaded, timeout=parsed.timeout, sure=parsed.yes))


async def _undo_all(loaded: Settings, *, timeout: float, sure: bool) -> int:
    async with KubeClient(loaded) as cluster:
        undo = Undo(loaded, cluster, planner=plan)
        if not sure:
            for action in (await undo.look()).actions:
                _say(describe(action))
            if not _confirmed():
                return _fail("nothing was changed; --yes answers the question", _FAILED)
        await undo.run(timeout, _say)
    _say("everything is undone")
    return 0


def _doctor(loaded: Settings, parsed: argparse.Namespace) -> int:
    return asyncio.run(_examine(loaded, namespace=parsed.namespace, gateway=parsed.gateway))


async def _examine(loaded: Settings, *, namespace: str, gateway: str) -> int:
    try:
        async with KubeClient(loaded) as cluster:
            report = await doctor_command.examine(loaded, cluster, namespace=namespace, gateway=gateway)
    except errors.KubeError as error:
        # Not the status of a broken link: nothing is known of any.
        return _fail(str(error), _BAD_CALL)
    sys.stdout.write(report.text)
    return 0 if report.whole else _FAILED


def _render(loaded: Settings, parsed: argparse.Namespace) -> int:
    manifests = render_command.read(parsed.files, sys.stdin, namespace=parsed.namespace)
    rendered = render_command.render(manifests, loaded.installation, templates.load_templates())
    try:
        sys.stdout.write(render_command.dump(rendered.objects))
        sys.stdout.flush()
    except BrokenPipeError:
        # A reader such as `head` has seen enough. Python would try to write the rest once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    for note in rendered.notes:
        _fail(f"note: {note}", _FAILED)
    for problem in rendered.problems:
        _fail(problem, _FAILED)
    return _FAILED if rendered.problems else 0


def _confirmed() -> bool:
    """Ask a person, if there is one."""
    if not sys.stdin.isatty():
        return False
    sys.stdout.write("These come first. Undo everything? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"aigw-operator: {message}\n")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aigw-operator", description="Wires the Gateways of Envoy AI Gateway to send their telemetry."
    )
    parser.add_argument("--version", action="version", version=metadata.version("aigw-telemetry"))
    common = argparse.ArgumentParser(add_help=False)
    for name, key in settings.KEYS.items():
        default = key.metadata["default"]
        text = key.metadata["text"] + (f" (default {default})" if default else "")
        common.add_argument(settings.flag(name), dest=name, metavar=key.metadata["metavar"], help=text)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    epilog = "Each flag has an environment variable, such as AIGW_OPERATOR_CLUSTER_DOMAIN; a flag wins over it."

    run = subparsers.add_parser("run", parents=[common], help="watch the cluster, and wire it", epilog=epilog)
    run.set_defaults(command=_run)

    undo = subparsers.add_parser(
        "undo",
        parents=[common],
        help="bring every object back to what it was",
        description="Brings every object back to what it was. Stop the operator first: it would do it all again.",
        epilog=epilog,
    )
    undo.add_argument("--all", action="store_true", required=True, help="everything, in all served namespaces")
    undo.add_argument("--yes", action="store_true", help="do not ask")
    undo.add_argument(
        "--timeout", type=float, default=_UNDO_SECONDS, metavar="SECONDS", help="give up after this (default 300)"
    )
    undo.set_defaults(command=_undo)

    doctor = subparsers.add_parser(
        "doctor",
        parents=[common],
        help="say where the telemetry of a Gateway is stuck",
        description="Walks from a Gateway to its last export, up to the first broken link. "
        "Exit status: 0 if every link holds, 1 if one is broken, 2 if the cluster cannot be asked.",
        epilog=epilog,
    )
    doctor.add_argument("-n", "--namespace", default="", metavar="NS", help="of the Gateway (default: all)")
    doctor.add_argument(
        "gateway", nargs="?", default="", metavar="GATEWAY", help="its name (default: all that a policy selects)"
    )
    doctor.set_defaults(command=_doctor)

    render = subparsers.add_parser(
        "render",
        parents=[common],
        help="print what would be written for manifests, without a cluster",
        description="Prints, as one YAML stream, every object that would be written, as it would stand afterwards. "
        "Exit status: 0, 1 if a policy cannot have its way (standard error says why), 2 if a file cannot be read.",
        epilog=epilog,
    )
    render.add_argument(
        "-n", "--namespace", default="default", metavar="NS", help="of manifests that name none (default: default)"
    )
    render.add_argument("files", nargs="+", metavar="FILE", help='manifests, or folders of them; "-" is standard input')
    render.set_defaults(command=_render)
    return parser


if __name__ == "__main__":
    sys.exit(main())
