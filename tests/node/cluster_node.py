"""A real Kubernetes cluster of one node: kubelet, containerd, DNS and Services, in namespaces of its own.

The machine has routes to pods and Services; the node has none to anywhere else, and pulls nothing: images are imported.
NetworkPolicies are not enforced. See docs/testing.md.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from cluster import pki
from node import configuration, machine, parts

_START_SECONDS: Final = 120.0
_COMMAND_SECONDS: Final = 300.0
_CLIENTS: Final = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
    "api-server": ("api-server", ""),
}
"""user and group by name of the certificate"""


class NodeError(Exception):
    """The cluster did not come up; the message holds the end of every log."""


class Node:
    """One node; `folder` holds its files."""

    def __init__(self, folder: Path, addresses: configuration.Addresses) -> None:
        self.folder = folder
        self.addresses = addresses
        self.kubeconfig = folder / "admin.kubeconfig"
        self._namespaces: machine.Namespaces | None = None
        self._programs: list[subprocess.Popen[bytes]] = []

    def up(self, images: Sequence[Path], say: Callable[[str], None]) -> None:
        """Start everything; return once the node is Ready and DNS answers."""
        began = time.monotonic()
        folder, addresses = self.folder, self.addresses
        for name in ("log", "lib/containerd", "lib/kubelet", "varlog/pods", "cni", "etcd"):
            (folder / name).mkdir(parents=True)
        for volume in configuration.volumes(addresses):
            (folder / "lib" / "volumes" / volume["spec"]["local"]["path"].rpartition("/")[2]).mkdir(parents=True)
        (folder / "resolv.conf").write_text("")
        self._write_keys()
        runc = shutil.which("runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "runc"
        (folder / "containerd.toml").write_text(configuration.containerd(folder, runc))
        (folder / "cni" / "pods.conflist").write_text(configuration.cni(addresses))
        (folder / "kubelet.yaml").write_text(configuration.kubelet(folder, addresses))
        (folder / "proxy.yaml").write_text(configuration.proxy(folder, addresses))
        self._namespaces = machine.make(folder, addresses)
        self._start("containerd", "-c", f"{folder}/containerd.toml")
        self._start_etcd()
        self._start_api_server()
        self._until("containerd serves", lambda: self._succeeds(*self._ctr("version")))
        for image in images:
            self.load(image)
        say(f"{len(images)} images imported after {time.monotonic() - began:.0f} s")
        self._until("the API server is ready", lambda: self.kubectl("get", "--raw", "/readyz", check=False) == "ok")
        self._start_controllers()
        self.apply(configuration.base(addresses))
        self._start_kubelet()
        self._until(
            "there is a node", lambda: bool(self.kubectl("get", "node", addresses.node, "-o", "name", check=False))
        )
        self.kubectl("wait", "--for=condition=Ready", f"node/{addresses.node}", "--timeout=60s")
        self.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=90s")
        say(f"{addresses.node} is Ready after {time.monotonic() - began:.0f} s; KUBECONFIG={self.kubeconfig}")

    def down(self) -> None:
        """End everything, and leave nothing but the logs."""
        machine.remove(self.folder, self.addresses)
        own = [self._namespaces.parent] if self._namespaces else []
        for program in [*self._programs, *own]:
            program.wait(_COMMAND_SECONDS)
        for name in ("lib", "varlog", "etcd"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def load(self, archive: Path) -> None:
        """Import an image."""
        self._run([*self._ctr("-n", "k8s.io", "images", "import", "--local"), str(archive)])

    def tag(self, image: str, name: str) -> None:
        """Give an image that was imported another name."""
        self._run(self._ctr("-n", "k8s.io", "images", "tag", "--force", image, name))

    def kubectl(self, *arguments: str, text: str | None = None, check: bool = True) -> str:
        """The output of kubectl as an administrator; "" for a failure that is not checked."""
        command = [str(parts.path_of("kubectl")), "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, timeout=_COMMAND_SECONDS
        )
        if done.returncode and check:
            message = f"kubectl {' '.join(arguments)}: {done.stderr.strip()}"
            raise NodeError(message)
        return done.stdout if done.returncode == 0 else ""

    def apply(self, objects: Sequence[dict[str, Any]]) -> None:
        """Apply objects on the server's side."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--server-side", "-f", "-", text=json.dumps(listed))

    def get(self, *arguments: str) -> dict[str, Any]:
        """What `kubectl get` answers, as JSON."""
        answer: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return answer

    def tails(self, lines: int = 5) -> str:
        """The end of every log."""
        logs = sorted((self.folder / "log").glob("*.log"))
        return "\n".join("\n".join([f"--- {log}", *log.read_text().splitlines()[-lines:]]) for log in logs)

    def _ctr(self, *arguments: str) -> list[str]:
        assert self._namespaces is not None
        return self._namespaces.enter(str(parts.path_of("ctr")), *arguments)

    def _start(self, program: str, *arguments: str) -> None:
        assert self._namespaces is not None
        with (self.folder / "log" / f"{program}.log").open("wb") as log:
            self._programs.append(
                subprocess.Popen(
                    self._namespaces.enter(str(parts.path_of(program)), *arguments),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _until(self, what: str, reached: Callable[[], bool]) -> None:
        until = time.monotonic() + _START_SECONDS
        while not reached():
            ended = [program.args for program in self._programs if program.poll() is not None]
            if ended or time.monotonic() > until:
                message = f"not reached: {what}\n{self.tails()}"
                raise NodeError(message)
            time.sleep(0.1)

    def _succeeds(self, *command: str) -> bool:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_COMMAND_SECONDS)
        return done.returncode == 0

    def _run(self, command: Sequence[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_COMMAND_SECONDS)
        if done.returncode:
            message = f"{' '.join(command)}: {done.stderr.strip()}"
            raise NodeError(message)

    def _write_keys(self) -> None:
        authority = pki.Authority(self.folder / "pki")
        for name, (user, group) in _CLIENTS.items():
            authority.issue_client(name, user, group)
            (self.folder / f"{name}.kubeconfig").write_text(configuration.kubeconfig(self.folder, self.addresses, name))
        node = self.addresses.node
        authority.issue_client("kubelet", f"system:node:{node}", "system:nodes")
        (self.folder / "kubelet.kubeconfig").write_text(
            configuration.kubeconfig(self.folder, self.addresses, "kubelet")
        )
        names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
        ips = (self.addresses.node_ip, self.addresses.api_service, "127.0.0.1")
        authority.issue_server("server", *(f"DNS:{name}" for name in names), *(f"IP:{ip}" for ip in ips))
        authority.issue_server("kubelet-server", f"DNS:{node}", f"IP:{self.addresses.node_ip}")
        authority.signing_key("accounts")

    def _start_etcd(self) -> None:
        client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
        self._start(
            "etcd",
            *("--name", "node", "--data-dir", f"{self.folder}/etcd", "--unsafe-no-fsync", "--log-level", "warn"),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"node={peer}"),
        )

    def _start_api_server(self) -> None:
        keys = self.folder / "pki"
        self._start(
            "kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            *("--secure-port=6443", "--bind-address=0.0.0.0", f"--advertise-address={self.addresses.node_ip}"),
            *(f"--tls-cert-file={keys}/server.crt", f"--tls-private-key-file={keys}/server.key"),
            *(f"--client-ca-file={keys}/ca.crt", "--authorization-mode=Node,RBAC"),
            "--enable-admission-plugins=NodeRestriction",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={keys}/accounts.key",
            f"--service-account-key-file={keys}/accounts.key",
            *(f"--service-cluster-ip-range={self.addresses.services}", "--allow-privileged=true"),
            f"--kubelet-certificate-authority={keys}/ca.crt",
            f"--kubelet-client-certificate={keys}/api-server.crt",
            f"--kubelet-client-key={keys}/api-server.key",
            "--kubelet-preferred-address-types=InternalIP",
        )

    def _start_controllers(self) -> None:
        keys = self.folder / "pki"

        def common(user: str) -> list[str]:
            file = f"{self.folder}/{user}.kubeconfig"
            named = [f"--{purpose}kubeconfig={file}" for purpose in ("", "authentication-", "authorization-")]
            return [*named, "--bind-address=127.0.0.1", f"--cert-dir=/run/{user}", "--leader-elect=false"]

        self._start(
            "kube-controller-manager",
            *common("controller-manager"),
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={keys}/accounts.key",
            *(f"--root-ca-file={keys}/ca.crt", f"--cluster-signing-cert-file={keys}/ca.crt"),
            f"--cluster-signing-key-file={keys}/ca.key",
        )
        self._start("kube-scheduler", *common("scheduler"))

    def _start_kubelet(self) -> None:
        self._start(
            "kubelet",
            *(f"--config={self.folder}/kubelet.yaml", f"--kubeconfig={self.folder}/kubelet.kubeconfig"),
            *(f"--hostname-override={self.addresses.node}", f"--node-ip={self.addresses.node_ip}"),
            "--root-dir=/var/lib/kubelet",
        )
        self._start("kube-proxy", f"--config={self.folder}/proxy.yaml")


@contextlib.contextmanager
def running(images: Sequence[Path], say: Callable[[str], None], keep_logs: Path | None = None) -> Iterator[Node]:
    """A node for the length of a block. Where it fails, the logs are copied to `keep_logs`."""
    machine.check()
    addresses = configuration.Addresses(machine.free_number())
    # A short path: the kubelet and containerd make sockets below it.
    folder = Path(tempfile.mkdtemp(prefix=f"aigw-{addresses.node}-"))
    node = Node(folder, addresses)
    try:
        node.up(images, say)
        yield node
    except BaseException:
        if keep_logs is not None:
            shutil.copytree(folder / "log", keep_logs, dirs_exist_ok=True)
        raise
    finally:
        node.down()
        shutil.rmtree(folder, ignore_errors=True)
