"""A real Kubernetes control plane on loopback ports: etcd, API server, controller-manager, scheduler, nodes by kwok.

There are no containers, no cluster network and no cluster DNS: pods are Running because kwok says so.
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cluster import api as api_
from cluster import audit, pki, processes
from cluster.parts import catalog
from truth import ports

_HERE: Final = Path(__file__).parent
# Ready took 8 to 11 s on two cores that were busy.
_START_SECONDS: Final = 120.0
_SERVICES: Final = "10.96.0.0/16"
_API_SERVICE: Final = "10.96.0.1"
_SYSTEM_USERS: Final = {
    "admin": ("admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kwok": ("kwok", "system:masters"),
    "envoy-gateway": ("envoy-gateway", "system:masters"),
    "ai-gateway": ("ai-gateway", "system:masters"),
}
"""user and group by name of the kubeconfig; the audit log tells them apart"""


@dataclasses.dataclass(frozen=True, slots=True)
class ControlPlane:
    """A control plane that runs; `api` is its administrator's view."""

    folder: Path
    server: str
    api: api_.Api
    audit: audit.Audit
    authority: pki.Authority
    programs: processes.Programs
    etcd: processes.Program
    api_server: processes.Program

    @property
    def port(self) -> int:
        """The API server's port on 127.0.0.1."""
        return int(self.server.rpartition(":")[2])

    def kubeconfig(self, user: str = "admin") -> Path:
        """The kubeconfig of a user of the control plane itself."""
        return self.folder / f"{user}.kubeconfig"

    def client(self, user: str) -> pki.Pair:
        """The client certificate of a user of the control plane itself."""
        return pki.Pair(self.folder / "pki" / f"{user}.crt", self.folder / "pki" / f"{user}.key")

    def token(self, namespace: str, account: str) -> str:
        """A token of a ServiceAccount, by the TokenRequest API; it lasts for hours."""
        path = self.api.path("v1", "ServiceAccount", namespace, account, "token")
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 6 * 3600},
        }
        token: str = self.api.call("POST", path, request)["status"]["token"]
        return token

    def account_api(self, namespace: str, account: str) -> api_.Api:
        """A ServiceAccount's view of the API server."""
        return api_.Api(self.server, self.authority.client_context(), self.token(namespace, account))

    def account_kubeconfig(self, namespace: str, account: str, *, server: str | None = None) -> Path:
        """A kubeconfig of a ServiceAccount; `server` may be that of a proxy, https://… or http://…."""
        target = server or self.server
        path = self.folder / f"{namespace}.{account}.{target.rpartition(':')[2]}.kubeconfig"
        cluster: dict[str, Any] = {"server": target}
        if target.startswith("https:"):
            cluster["certificate-authority"] = str(self.authority.own.certificate)
        _write_kubeconfig(path, cluster, {"token": self.token(namespace, account)}, namespace)
        return path


@contextlib.contextmanager
def running(folder: Path, *, nodes: int = 2) -> Iterator[ControlPlane]:
    """A control plane for the length of a block; its files are in `folder`, which must be empty."""
    started = processes.Programs(folder)
    try:
        yield _start(folder, started, nodes)
    finally:
        started.stop()


def _start(folder: Path, started: processes.Programs, nodes: int) -> ControlPlane:
    authority = pki.Authority(folder / "pki")
    server = f"https://127.0.0.1:{ports.free_port()}"
    for name, (user, group) in _SYSTEM_USERS.items():
        pair = authority.issue_client(name, user, group)
        cluster = {"server": server, "certificate-authority": str(authority.own.certificate)}
        credentials = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        _write_kubeconfig(folder / f"{name}.kubeconfig", cluster, credentials, "default")
    token_key = authority.signing_key("service-accounts")
    etcd, etcd_url = _start_etcd(folder, started)
    api_server = _start_api_server(folder, started, authority, token_key, server, etcd_url)
    context = authority.client_context(pki.Pair(folder / "pki" / "admin.crt", folder / "pki" / "admin.key"))
    plane = ControlPlane(
        folder=folder,
        server=server,
        api=api_.Api(server, context),
        audit=audit.Audit(folder / "audit.log"),
        authority=authority,
        programs=started,
        etcd=etcd,
        api_server=api_server,
    )
    wait_ready(plane)
    _start_controllers(plane, token_key)
    _start_nodes(plane, nodes)
    return plane


def wait_ready(plane: ControlPlane) -> None:
    """Return once the API server says that it is ready."""
    with plane.programs.deadline(_START_SECONDS, "the API server is ready") as deadline:
        while not _answers(plane.api, "/readyz"):
            deadline.tick()


def _start_etcd(folder: Path, started: processes.Programs) -> tuple[processes.Program, str]:
    client, peer = (f"http://127.0.0.1:{ports.free_port()}" for _ in range(2))
    command = [
        str(catalog.path_of("etcd")),
        f"--data-dir={folder / 'etcd'}",
        "--name=only",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=only={peer}",
        # Nothing has to outlive the machine.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    return started.start("etcd", command), client


def _start_api_server(
    folder: Path,
    started: processes.Programs,
    authority: pki.Authority,
    token_key: Path,
    server: str,
    etcd_url: str,
) -> processes.Program:
    policy = folder / "audit-policy.json"
    policy.write_text(json.dumps(audit.POLICY))
    names = ("IP:127.0.0.1", f"IP:{_API_SERVICE}", "DNS:localhost", "DNS:kubernetes.default.svc")
    serving = authority.issue_server("kube-apiserver", *names)
    command = [
        str(catalog.path_of("kube-apiserver")),
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={server.rpartition(':')[2]}",
        # The loopback is refused as an endpoint of the Service `kubernetes`.
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={authority.own.certificate}",
        "--authorization-mode=RBAC",
        # Nobody has such a certificate; without the flags the others write an error a second.
        f"--requestheader-client-ca-file={authority.own.certificate}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={token_key}",
        f"--service-account-key-file={token_key}",
        f"--service-cluster-ip-range={_SERVICES}",
        "--allow-privileged=true",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={folder / 'audit.log'}",
        "--audit-log-maxsize=10000",
    ]
    return started.start("kube-apiserver", command)


def _start_controllers(plane: ControlPlane, token_key: Path) -> None:
    ca = plane.authority.own
    flags = {
        "kube-controller-manager": (
            f"--service-account-private-key-file={token_key}",
            f"--root-ca-file={ca.certificate}",
            f"--cluster-signing-cert-file={ca.certificate}",
            f"--cluster-signing-key-file={ca.key}",
            "--use-service-account-credentials=true",
        ),
        "kube-scheduler": (),
    }
    for name, own in flags.items():
        config = plane.kubeconfig(name)
        command = [
            str(catalog.path_of(name)),
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            "--bind-address=127.0.0.1",
            f"--secure-port={ports.free_port()}",
            f"--cert-dir={plane.folder / 'pki' / name}",
            "--leader-elect=false",
            *own,
        ]
        plane.programs.start(name, command)


def _start_nodes(plane: ControlPlane, nodes: int) -> None:
    port = ports.free_port()
    command = [
        str(catalog.path_of("kwok")),
        f"--kubeconfig={plane.kubeconfig('kwok')}",
        f"--config={_HERE / 'kwok-stages.yaml'}",
        "--manage-all-nodes",
        # Without leases all pods become NotReady after 50 s.
        "--node-lease-duration-seconds=40",
        "--cidr=10.0.0.0/16",
        "--node-ip=127.0.0.1",
        f"--node-port={port}",
        f"--server-address=127.0.0.1:{port}",
    ]
    plane.programs.start("kwok", command)
    names = [f"node-{number}" for number in range(nodes)]
    for name in names:
        plane.api.create(_node(name))
    with plane.programs.deadline(
        _START_SECONDS, "the nodes are ready, and namespaces have ServiceAccounts"
    ) as deadline:
        while plane.api.find("v1", "ServiceAccount", "default", "default") is None:
            deadline.tick()
        while not all(api_.condition(plane.api.get("v1", "Node", "", name), "Ready") == "True" for name in names):
            deadline.tick()


def _node(name: str) -> Mapping[str, Any]:
    room = {"cpu": "1000", "memory": "1Ti", "pods": "2000"}
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**labels, "topology.kubernetes.io/zone": f"zone-of-{name}"}},
        "status": {"allocatable": room, "capacity": room},
    }


def _answers(api: api_.Api, path: str) -> bool:
    try:
        return api.request("GET", path) == "ok"
    except (api_.ApiError, OSError):
        return False


def _write_kubeconfig(path: Path, cluster: Mapping[str, Any], credentials: Mapping[str, Any], namespace: str) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": cluster}],
        "users": [{"name": "tests", "user": credentials}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests", "namespace": namespace}}],
        "current-context": "tests",
    }
    # JSON is YAML.
    path.write_text(json.dumps(config))
    path.chmod(0o600)
