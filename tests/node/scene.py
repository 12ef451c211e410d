"""What is there before our chart is installed: Envoy Gateway, AI Gateway's stand-in, and two Gateways.

The manifests are those of kind/ as far as they can be; what AI Gateway itself would bring is in manifests/.
"""

import base64
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from aigw_demo.envoy_config import EXT_PROC
from cluster import extproc, gateway_config_crd, pki
from cluster.parts import catalog
from install import parts as install_parts
from node import cluster_node, parts

TREE: Final = Path(__file__).parents[2]
KIND: Final = TREE / "kind"
HERE: Final = Path(__file__).parent / "manifests"
ENVOY_NAMESPACE: Final = "envoy-gateway-system"
AI_NAMESPACE: Final = "envoy-ai-gateway-system"
RELEASE: Final = "aigw"
NAMESPACE: Final = "aigw-telemetry"
GATEWAYS: Final = ("aigw-demo/gw", "aigw-delta/gw")
_SECONDS: Final = 300.0
_WAIT_SECONDS: Final = 180.0
_PAUSE_SECONDS: Final = 0.5
_OWNER: Final = "gateway.envoyproxy.io/owning-gateway"


class Scene:
    """A node with everything that a user of AI Gateway has before the chart is installed."""

    def __init__(self, node: cluster_node.Node, say: Callable[[str], None], *, helm: str = "helm-4") -> None:
        self.node = node
        self.say = say
        self._helm = _find_helm(helm)

    def use_helm(self, name: str) -> None:
        """Do what comes next by another Helm."""
        self._helm = _find_helm(name)

    def prepare(self) -> None:
        """Install everything but our chart, and wait until the Gateways serve by pods with a sidecar."""
        began = time.monotonic()
        self.install_envoy_gateway()
        self.say(f"Envoy Gateway is installed after {time.monotonic() - began:.0f} s")
        self.install_ai_gateway()
        self.apply_file(KIND / "manifests" / "gateways.yaml")
        self.apply_file(KIND / "manifests" / "provider.yaml")
        self.apply_file(HERE / "grant.yaml")
        self.install_routes()
        self.until("the Gateways have pods with a sidecar", self.has_sidecars)
        self.say(f"the Gateways serve after {time.monotonic() - began:.0f} s")

    def helm(self, *arguments: str) -> str:
        """The output of Helm; NodeError for a failure."""
        command = [str(self._helm), "--kubeconfig", str(self.node.kubeconfig), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
        if done.returncode:
            message = f"helm {' '.join(arguments)}: {done.stderr.strip()}"
            raise cluster_node.NodeError(message)
        return done.stdout

    def install_envoy_gateway(self) -> None:
        """By its own chart, with its own CRDs."""
        self.node.kubectl("apply", "--server-side", "-f", str(catalog.path_of(catalog.CRDS)))
        self.helm(
            *(
                "upgrade",
                "--install",
                "eg",
                str(parts.path_of(parts.CHART)),
                "--namespace",
                ENVOY_NAMESPACE,
                "--create-namespace",
            ),
            *("--skip-crds", "--wait", "--timeout", "3m", "--set", "crds.enabled=false"),
            *("--set", "topologyInjector.enabled=false"),
            *("--set", "config.envoyGateway.extensionApis.enableBackend=true"),
            *("--set", "config.envoyGateway.extensionApis.enableEnvoyPatchPolicy=true"),
        )

    def install_ai_gateway(self) -> None:
        """The stand-in, with the CRDs that concern telemetry."""
        definitions = gateway_config_crd.definitions(extproc.Settings().release)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": AI_NAMESPACE}}
        self.node.apply([*definitions, namespace])
        for each in definitions:
            name = f"customresourcedefinition/{each['metadata']['name']}"
            self.node.kubectl("wait", "--for=condition=Established", name, "--timeout=60s")
        with tempfile.TemporaryDirectory() as scratch:
            authority = pki.Authority(Path(scratch, "pki"))
            pair = authority.issue_server("ai-gateway", f"DNS:ai-gateway-controller.{AI_NAMESPACE}.svc")
            keys = {"tls.crt": _encode(pair.certificate), "tls.key": _encode(pair.key)}
            ca = _encode(authority.own.certificate)
        metadata = {"name": "ai-gateway-keys", "namespace": AI_NAMESPACE}
        self.node.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": keys}])
        self.apply_file(HERE / "ai-gateway.yaml", {"@IMAGE@": extproc.Settings().image, "@CA@": ca})
        self.node.kubectl("-n", AI_NAMESPACE, "rollout", "status", "deployment/ai-gateway-controller", "--timeout=60s")

    def install_routes(self) -> None:
        """The routes of both Gateways."""
        values = {
            "@VERSION@": gateway_config_crd.version(extproc.Settings().release),
            "@BACKEND_SCRIPT@": (HERE / "backend.lua").read_text(),
            "@EXT_PROC_SCRIPT@": EXT_PROC,
            "@MCP_SCRIPT@": (HERE / "mcp.lua").read_text(),
        }
        for gateway in GATEWAYS:
            self.apply_file(HERE / "routes.yaml", {**values, "@NAMESPACE@": gateway.partition("/")[0]})

    def apply_file(self, path: Path, values: Mapping[str, str] | None = None) -> None:
        """Apply a manifest, with values in place of its placeholders."""
        self.node.apply([_fill(item, values or {}) for item in yaml.safe_load_all(path.read_text()) if item])

    def install(self, *arguments: str) -> None:
        """Install or upgrade our chart by kind/install, and wait until the Gateways are wired."""
        done = self.kind("install", *arguments)
        if done.returncode:
            raise cluster_node.NodeError(done.stderr)
        self.until("the Gateways are wired", self.is_wired)

    def kind(self, script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """What a script of kind/ says of this cluster, and how it ends."""
        return subprocess.run(
            [str(KIND / script), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )

    @contextlib.contextmanager
    def traffic(self, ledger: Path, seconds: float) -> Iterator[None]:
        """kind/traffic for so long, from before the block to after its end."""
        command = [str(KIND / "traffic"), "--ledger", str(ledger), "--seconds", f"{seconds:.0f}"]
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            began = process.stdout.readline()
            yield
            if process.poll() is not None:
                message = "the traffic ended before what was to happen under it"
                raise cluster_node.NodeError(message)
            process.wait(_SECONDS)
        finally:
            process.kill()
            rest = process.communicate()[0]
        if process.returncode:
            message = f"the traffic went wrong: {began}{rest}"
            raise cluster_node.NodeError(message)

    @property
    def environment(self) -> dict[str, str]:
        """What the scripts of kind/ find this cluster by."""
        programs = {"KUBECTL": str(parts.path_of("kubectl")), "HELM": str(self._helm), "PYTHON": sys.executable}
        return {**os.environ, **programs, "KUBECONFIG": str(self.node.kubeconfig)}

    def until(self, what: str, reached: Callable[[], bool], seconds: float = _WAIT_SECONDS) -> None:
        """Wait; NodeError with what the pods are at where it is not reached."""
        until = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > until:
                pods = self.node.kubectl("get", "pods", "-A")
                message = f"not within {seconds:.0f} s: {what}\n{pods}"
                raise cluster_node.NodeError(message)
            time.sleep(_PAUSE_SECONDS)

    def envoy_pods(self, gateway: str) -> list[dict[str, Any]]:
        """The Envoy pods of a Gateway that are not being deleted."""
        namespace, _, name = gateway.partition("/")
        selector = f"{_OWNER}-name={name},{_OWNER}-namespace={namespace}"
        found = self.node.get("pods", "-n", ENVOY_NAMESPACE, "-l", selector)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def has_sidecars(self) -> bool:
        """Whether every Gateway has as many pods as it wants, all of them ready and with a sidecar."""
        wanted = {"aigw-demo/gw": 2, "aigw-delta/gw": 1}
        return all(
            len(pods := self.envoy_pods(gateway)) == number
            and all(extproc.find_container(pod) is not None and _is_ready(pod) for pod in pods)
            for gateway, number in wanted.items()
        )

    def envoy_pod_names(self) -> set[str]:
        """The names of all Envoy pods."""
        return {pod["metadata"]["name"] for gateway in GATEWAYS for pod in self.envoy_pods(gateway)}

    def kill_pods(self, selector: str) -> None:
        """End pods of ours at once, without a chance to put anything down."""
        self.node.kubectl("delete", "pod", "-n", NAMESPACE, "-l", selector, "--grace-period=0", "--force")

    def own_pods(self) -> list[dict[str, Any]]:
        """The pods of the operator and the receiver; not those of hooks."""
        found = self.node.get("pods", "-n", NAMESPACE)["items"]
        owners = ("ReplicaSet", "StatefulSet")
        return [pod for pod in found if any(each["kind"] in owners for each in pod["metadata"]["ownerReferences"])]

    def is_running(self) -> bool:
        """Whether there is one pod of the operator and one of the receiver, and both are ready."""
        pods = self.own_pods()
        return len(pods) == len(("operator", "receiver")) and all(_is_ready(pod) for pod in pods)

    def tags(self) -> set[str]:
        """The tags of the images of the operator's and the receiver's pods."""
        return {each["image"].rpartition(":")[2] for pod in self.own_pods() for each in pod["spec"]["containers"]}

    def is_receiving(self) -> bool:
        """Whether the policies say of every Gateway that its telemetry arrives."""
        policies = self.node.get("telemetrypolicies", "-A")["items"]
        return bool(policies) and all(each.get("status", {}).get("receiving") == "1/1" for each in policies)

    def is_wired(self) -> bool:
        """Whether the policies say of every Gateway that it is wired and heard, and the pods carry the env."""
        policies = self.node.get("telemetrypolicies", "-A")["items"]
        seen = {
            (entry["ancestorRef"].get("namespace", policy["metadata"]["namespace"]), entry["ancestorRef"]["name"]): {
                condition["type"]: condition["status"] for condition in entry["conditions"]
            }
            for policy in policies
            for entry in policy.get("status", {}).get("ancestors", ())
        }
        conditions = ("Accepted", "Injected", "AccessLogsWired")
        return self.has_sidecars() and all(
            all(seen.get((namespace, name), {}).get(each) == "True" for each in conditions)
            for namespace, name in (tuple(gateway.split("/")) for gateway in GATEWAYS)
        )


def _find_helm(name: str) -> Path:
    program = install_parts.find(name)
    if program is None:
        message = f"{name} is missing: {install_parts.COMMAND}"
        raise parts.PartError(message)
    return program


def _is_ready(pod: Mapping[str, Any]) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in pod["status"].get("conditions", ())
    )


def _encode(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _fill(value: Any, values: Mapping[str, str]) -> Any:
    """An object with placeholders replaced, in every text of it."""
    if isinstance(value, dict):
        return {key: _fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, values) for item in value]
    if isinstance(value, str):
        for placeholder, text in values.items():
            value = value.replace(placeholder, text)
    return value
