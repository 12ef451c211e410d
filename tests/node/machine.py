"""What a node needs of the machine it runs on, and what it leaves there: namespaces, a link, routes, control groups.

All of it has the node's number in its name, so that what one run left behind can be taken away by the next. Linux as
root; nothing outside of that is changed. Hosts with the unified control groups alone (v2) are not tried.
"""

import dataclasses
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from node import configuration, parts

_COMMAND_SECONDS: Final = 60.0
_GROUPS: Final = Path("/sys/fs/cgroup")
_NUMBERS: Final = range(1, 251)
_PROGRAMS: Final = ("setpriv", "unshare", "nsenter", "ip", "nft", "runc", "openssl", "sysctl")
# The kubelet writes these, which no namespace divides, for the whole machine: so it is shown files in their place.
_KERNEL: Final = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}


class CannotError(Exception):
    """The machine has not what a node needs; the message says what to do."""


def check() -> None:
    """CannotError where a node cannot run here."""
    if os.geteuid() != 0:
        message = "a node needs root: it makes namespaces, control groups and a link"
        raise CannotError(message)
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    absent = [program for program in _PROGRAMS if shutil.which(program, path=path) is None]
    if absent or not Path(configuration.CNI_PROGRAMS, "bridge").exists():
        absent = absent or ["the CNI plugins"]
        message = f"{', '.join(absent)} missing: apt-get install --no-install-recommends {parts.PACKAGES}"
        raise CannotError(message)
    if not (_GROUPS / "cpuset" / "cpuset.cpus").exists():
        message = "the control groups of this machine are not of version 1, which is all that was tried"
        raise CannotError(message)


def run(*command: str) -> str:
    """Run a command on the machine; its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_COMMAND_SECONDS)
    if done.returncode:
        message = f"{' '.join(command)}: {done.stderr.strip()}"
        raise CannotError(message)
    return done.stdout


@dataclasses.dataclass(frozen=True, slots=True)
class Namespaces:
    """The namespaces of a node; `process` is the first process in them, and with it ends all that is inside."""

    process: int
    parent: "subprocess.Popen[bytes]"
    """what has made them; it ends with them"""

    def enter(self, *command: str, environment: Sequence[str] = ()) -> list[str]:
        """The command that runs another one inside."""
        enter = ("nsenter", "-t", str(self.process), "-n", "-m", "-p", "-u", "-i", "--")
        path = f"PATH={parts.path_of('ctr').parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        return [*enter, "env", "-i", path, "HOME=/root", *environment, *command]

    def run(self, script: str) -> None:
        """Run a shell script inside."""
        run(*self.enter("sh", "-ec", script))


def free_number() -> int:
    """A number that no node on this machine has; it is taken with the first of its control groups."""
    for number in _NUMBERS:
        addresses = configuration.Addresses(number)
        if not Path("/sys/class/net", addresses.link).exists():
            try:
                (_GROUPS / "pids" / addresses.node).mkdir()
            except FileExistsError:
                continue
            return number
    message = "250 nodes are running, or were left behind"
    raise CannotError(message)


def make(folder: Path, addresses: configuration.Addresses) -> Namespaces:
    """Make what a node runs in: its own network, mounts, processes, name, and control groups."""
    pause = parts.path_of("pause").resolve()
    # Where we are killed, the kernel ends unshare, that ends the first process, and with it goes all that is inside.
    unshare = ("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--fork", "--kill-child", "--mount-proc")
    kinds = ("--net", "--mount", "--pid", "--uts", "--ipc", "--propagation", "private")
    with (folder / "log" / "pause.log").open("wb") as log:
        parent = subprocess.Popen(
            [*unshare, *kinds, str(pause)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    namespaces = Namespaces(_first_process(parent, pause), parent)
    (folder / "process").write_text(str(namespaces.process))
    _connect(namespaces, addresses)
    namespaces.run(_mounts(folder, addresses))
    for controller in _GROUPS.iterdir():
        if not controller.is_symlink():
            (controller / addresses.node).mkdir(exist_ok=True)
    for name in ("cpuset.cpus", "cpuset.mems"):
        value = (_GROUPS / "cpuset" / name).read_text()
        (_GROUPS / "cpuset" / addresses.node / name).write_text(value)
    return namespaces


def _first_process(parent: "subprocess.Popen[bytes]", program: Path) -> int:
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    until = time.monotonic() + _COMMAND_SECONDS
    while time.monotonic() < until and parent.poll() is None:
        for child in children.read_text().split():
            # It is itself only once it has all its namespaces.
            if Path(f"/proc/{child}/exe").readlink() == program:
                return int(child)
        time.sleep(0.02)
    message = "no namespaces could be made"
    raise CannotError(message)


def _connect(namespaces: Namespaces, addresses: configuration.Addresses) -> None:
    run("ip", "link", "add", addresses.link, "type", "veth", "peer", "name", "eth0", "netns", str(namespaces.process))
    run("ip", "address", "add", f"{addresses.machine_ip}/30", "dev", addresses.link)
    run("ip", "link", "set", addresses.link, "up")
    namespaces.run(
        f"""ip link set lo up
        ip address add {addresses.node_ip}/30 dev eth0; ip link set eth0 up
        ip route add {addresses.services} dev eth0 src {addresses.node_ip}"""
    )
    for network in (addresses.pods, addresses.services):
        run("ip", "route", "add", network, "via", addresses.node_ip)


def _mounts(folder: Path, addresses: configuration.Addresses) -> str:
    kernel = folder / "kernel"
    kernel.mkdir()
    shown = []
    for path, value in _KERNEL.items():
        file = kernel / path.replace("/", "_")
        file.write_text(f"{value}\n")
        shown.append(f"mount --bind {file} /proc/sys/{path}")
    settings = "\n".join(shown)
    return f"""mount -t tmpfs tmpfs /run; mkdir -p /run/lock /run/netns
    mount --bind {folder}/lib /var/lib; mount --bind {folder}/varlog /var/log
    mount --bind {folder}/resolv.conf /etc/resolv.conf
    mount --make-rshared /
    {settings}
    hostname {addresses.node}
    sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0"""


def remove(folder: Path, addresses: configuration.Addresses) -> None:
    """End all that is inside, and take away what the machine has of the node; CannotError for what stays."""
    file = folder / "process"
    if file.exists():
        _end(int(file.read_text()))
        file.unlink()
    # With the network namespace goes one end of the link, and with that the other one and the routes; in a while.
    for command in (("link", "delete", addresses.link), ("route", "delete", addresses.pods)):
        subprocess.run(("ip", *command), capture_output=True, check=False, timeout=_COMMAND_SECONDS)
    until = time.monotonic() + _COMMAND_SECONDS
    while left := [*_GROUPS.glob(f"*/{addresses.node}")]:
        for group in left:
            _remove_group(group)
        if time.monotonic() > until:
            message = f"left over: {left}"
            raise CannotError(message)
        time.sleep(0.1)


def _end(process: int) -> None:
    try:
        # Only what is our own program: the number may be another process's by now.
        if Path(f"/proc/{process}/exe").readlink().name != "pause":
            return
        os.kill(process, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return
    until = time.monotonic() + _COMMAND_SECONDS
    while Path(f"/proc/{process}").exists() and time.monotonic() < until:
        time.sleep(0.05)


def _remove_group(group: Path) -> None:
    for below, _, _ in os.walk(group, topdown=False):
        try:
            Path(below).rmdir()
        except OSError:
            # A process in it has not ended yet.
            return
