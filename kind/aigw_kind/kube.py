"""The cluster by way of kubectl, whatever KUBECONFIG it uses: objects, a receiver's pages, and ways to pods."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, Final

_SECONDS: Final = 60.0
_HTTP_PORT: Final = 8080
_OWNER: Final = "gateway.envoyproxy.io/owning-gateway"
_LISTENER_PORT: Final = 80
_DEFAULT_INTERVAL: Final = 10.0


class KubeError(Exception):
    """kubectl is missing, or says no; the message is for the user."""


def kubectl(*arguments: str) -> str:
    """The output of one command."""
    done = subprocess.run([_program(), *arguments], capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode:
        # The reason stands last; before it come the client's own retries.
        reason = done.stderr.strip().rpartition("\n")[2]
        message = f"kubectl {' '.join(arguments)}: {reason}"
        raise KubeError(message)
    return done.stdout


def _program() -> str:
    program = os.environ.get("KUBECTL") or shutil.which("kubectl")
    if program is None:
        message = "kubectl is missing: https://kubernetes.io/docs/tasks/tools/ (or set KUBECTL to its path)"
        raise KubeError(message)
    return program


def items(kind: str, namespace: str = "", selector: str = "") -> list[dict[str, Any]]:
    """The objects of a kind, of one namespace or of all."""
    scope = ["--namespace", namespace] if namespace else ["--all-namespaces"]
    found: list[dict[str, Any]] = json.loads(kubectl("get", kind, *scope, "--selector", selector, "-o", "json"))[
        "items"
    ]
    return found


class Receiver:
    """A TelemetryReceiver, asked through its Services."""

    def __init__(self, name: str) -> None:
        self._namespace, _, self._name = name.partition("/")
        found = json.loads(kubectl("get", "telemetryreceiver", self._name, "-n", self._namespace, "-o", "json"))
        shards = int(found.get("status", {}).get("shards", 1))
        # The Service of the receiver itself leads to any shard, and each shard has its own series.
        self._services = [self._name] if shards == 1 else [f"{self._name}-{number}" for number in range(shards)]

    def _get(self, service: str, path: str) -> str:
        root = f"/api/v1/namespaces/{self._namespace}/services/{service}:{_HTTP_PORT}/proxy"
        return kubectl("get", "--raw", root + path)

    def metrics(self) -> str:
        """The series of all shards, one exposition after the other."""
        return "\n".join(self._get(service, "/metrics") for service in self._services)

    def sources(self) -> list[Mapping[str, Any]]:
        """The pods of gateways that the shards have heard."""
        return [
            source for service in self._services for source in json.loads(self._get(service, "/api/sources"))["sources"]
        ]

    def now(self) -> float:
        """The clock of the receiver."""
        return float(json.loads(self._get(self._services[0], "/api/sources"))["now"])

    def logs(self, **parameters: str) -> list[Mapping[str, Any]]:
        """The kept access logs that match, of all shards and pages; names of parameters are those of GET /api/logs."""
        found: list[Mapping[str, Any]] = []
        for service in self._services:
            cursor: dict[str, str] = {}
            while True:
                query = urllib.parse.urlencode({**parameters, "limit": "1000", **cursor})
                page = json.loads(self._get(service, f"/api/logs?{query}"))
                found += page["logs"]
                if not page["next"]:
                    break
                cursor = {"cursor": page["next"]}
        return found


def longest_interval() -> float:
    """Seconds between two exports of the Gateway that sends most seldom, as the policies say."""
    texts = [policy["spec"].get("metrics", {}).get("interval", "") for policy in items("telemetrypolicies")]
    return max([_seconds(text) for text in texts if text], default=_DEFAULT_INTERVAL)


def delta_gateways() -> list[str]:
    """The Gateways, as namespace/name, that a policy makes send differences; of those that it names."""
    return [
        f"{policy['metadata']['namespace']}/{target['name']}"
        for policy in items("telemetrypolicies")
        if policy["spec"].get("metrics", {}).get("temporality") == "delta"
        for target in policy["spec"].get("targetRefs", ())
    ]


def _seconds(text: str) -> float:
    """A duration as Go writes it."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)(ms|h|m|s)", text))


def gateway_pods(gateway: str) -> dict[str, str]:
    """The Envoy pods of a Gateway that are ready, by name, with their namespace."""
    return {
        pod["metadata"]["name"]: pod["metadata"]["namespace"]
        for pod in items("pods", selector=_owned(gateway))
        if "deletionTimestamp" not in pod["metadata"]
        and any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))
    }


def listener_port(gateway: str) -> int:
    """The port of the pods behind port 80 of a Gateway."""
    for service in items("services", selector=_owned(gateway)):
        for port in service["spec"]["ports"]:
            if port["port"] == _LISTENER_PORT:
                return int(port["targetPort"])
    message = f"Gateway {gateway} has no Service with port {_LISTENER_PORT}"
    raise KubeError(message)


def _owned(gateway: str) -> str:
    namespace, _, name = gateway.partition("/")
    return f"{_OWNER}-name={name},{_OWNER}-namespace={namespace}"


@contextlib.contextmanager
def forwarded(namespace: str, pod: str, port: int) -> Iterator[int]:
    """A port of this machine that leads to a port of a pod, for the length of a block."""
    command = [_program(), "port-forward", "--namespace", namespace, f"pod/{pod}", f":{port}", "--address", "127.0.0.1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        found = re.search(r"127\.0\.0\.1:(\d+) ->", process.stdout.readline())
        if found is None:
            message = f"no way to {namespace}/{pod}: {process.stderr.read().strip()}"
            raise KubeError(message)
        yield int(found[1])
    finally:
        process.terminate()
        process.wait(_SECONDS)
        process.stdout.close()
        process.stderr.close()
