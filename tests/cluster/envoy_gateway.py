"""The real Envoy Gateway controller on a control plane, with its GatewayClass `eg`, and what it tells Envoy.

It listens on fixed ports and reads its certificates from a fixed path, so it runs in namespaces of its own. Its Envoy
pods are kwok's: what they would be told is asked of its xDS server.
"""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cluster import api as api_
from cluster import control_plane, processes, xds
from cluster.parts import catalog

NAMESPACE: Final = "envoy-gateway-system"
CLASS: Final = "eg"
GATEWAY_API: Final = "gateway.networking.k8s.io/v1"
CONTROLLER: Final = "gateway.envoyproxy.io/gatewayclass-controller"
# From the start to a GatewayClass that is accepted took 8 to 17 s on two busy cores.
_START_SECONDS: Final = 120.0
_COMMAND_SECONDS: Final = 120.0
_TESTS: Final = Path(__file__).parent.parent
# TEST-NET-1 (RFC 5737): an address that nobody has.
_ADDRESS: Final = "192.0.2.10"


class NoSandboxError(Exception):
    """This machine does not let us make namespaces."""


def _unshare() -> list[str]:
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
    return command if os.geteuid() == 0 else [*command[:1], "--user", "--map-root-user", *command[1:]]


def check_sandbox() -> None:
    """NoSandboxError with the reason where namespaces cannot be made."""
    for program in ("unshare", "mount", "chroot"):
        if shutil.which(program) is None:
            message = f"{program} is missing: apt-get install util-linux coreutils"
            raise NoSandboxError(message)
    # Some containers let us make the namespaces, but mount nothing in them. The mount is gone with its namespace.
    probe = [*_unshare(), "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]
    done = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=_COMMAND_SECONDS)
    if done.returncode:
        message = (
            f"Envoy Gateway needs network and mount namespaces (root, or unprivileged ones): {done.stderr.strip()}"
        )
        raise NoSandboxError(message)


class EnvoyGateway:
    """The controller on one control plane; it can be stopped and started again with other settings."""

    def __init__(self, plane: control_plane.ControlPlane) -> None:
        self._plane = plane
        self._folder = plane.folder / "envoy-gateway"
        self._program: processes.Program | None = None

    def install(self) -> None:
        """Apply the CRDs of Gateway API and Envoy Gateway, make the certificates and the GatewayClass."""
        api = self._plane.api
        self._folder.mkdir()
        definitions = api.apply_file(catalog.path_of(catalog.CRDS))
        for each in definitions:
            if each["kind"] == "CustomResourceDefinition":
                wait_established(api, each["metadata"]["name"])
        api.forget_kinds()
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        self._make_certificates()
        api.apply(
            {
                "apiVersion": GATEWAY_API,
                "kind": "GatewayClass",
                "metadata": {"name": CLASS},
                "spec": {"controllerName": CONTROLLER},
            }
        )
        relay = [sys.executable, "-m", "cluster.relay", f"unix:{self._folder / 'api.sock'}=tcp:{self._plane.port}"]
        self._plane.programs.start("envoy-gateway-relay", relay, {"PYTHONPATH": str(_TESTS)})

    def start(self, *, enable_backend: bool = True, settings: Mapping[str, Any] | None = None) -> None:
        """Start the controller, and return once it has accepted the class; settings are of kind EnvoyGateway."""
        config = {
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "EnvoyGateway",
            "gateway": {"controllerName": CONTROLLER},
            # The injector would need a webhook that reaches the controller.
            "provider": {
                "type": "Kubernetes",
                "kubernetes": {"leaderElection": {"disable": True}, "proxyTopologyInjector": {"disabled": True}},
            },
            "extensionApis": {"enableBackend": enable_backend},
            "logging": {"level": {"default": "info"}},
            **(settings or {}),
        }
        # What a new class has: else the word of an earlier run would pass for this one's.
        pending = {"type": "Accepted", "status": "Unknown", "reason": "Pending", "message": "Waiting for controller"}
        status = {"status": {"conditions": [{**pending, "lastTransitionTime": "1970-01-01T00:00:00Z"}]}}
        self._plane.api.patch(GATEWAY_API, "GatewayClass", "", CLASS, status, subresource="status")
        file = self._folder / "envoy-gateway.json"
        file.write_text(json.dumps(config))
        sandbox = [sys.executable, "-m", "cluster.sandbox", str(self._folder / "root"), str(self._folder / "certs")]
        relayed = [
            f"tcp:{self._plane.port}=unix:{self._folder / 'api.sock'}",
            f"unix:{self._folder / 'xds.sock'}=tcp:18000",
        ]
        command = [str(catalog.path_of("envoy-gateway")), "server", f"--config-path={file}"]
        self._program = self._plane.programs.start(
            "envoy-gateway",
            [*_unshare(), *sandbox, *relayed, "--", *command],
            {**self._environment(), "PYTHONPATH": str(_TESTS)},
            # unshare does not pass SIGTERM on; when it is killed, all that is inside is.
            gentle=False,
        )
        with self._plane.programs.deadline(_START_SECONDS, "Envoy Gateway has accepted its class") as deadline:
            while not _class_is_accepted(self._plane.api):
                deadline.tick()

    def stop(self) -> None:
        """End the controller; what it made stays."""
        if self._program:
            self._plane.programs.end(self._program)
            self._program = None

    def service(self, namespace: str, gateway: str) -> api_.Object | None:
        """The Service of a Gateway, once the controller has made it."""
        found = self._plane.api.items("v1", "Service", NAMESPACE, owned_by(namespace, gateway))
        return found[0] if found else None

    def give_address(self, namespace: str, gateway: str, address: str = _ADDRESS) -> None:
        """Do what a load balancer does, once the Gateway has a Service: then the Gateway becomes Programmed."""
        api = self._plane.api
        api.wait_until(lambda: self.service(namespace, gateway) is not None, f"a Service of {namespace}/{gateway}")
        service = self.service(namespace, gateway)
        assert service is not None
        status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
        api.patch("v1", "Service", NAMESPACE, service["metadata"]["name"], status, subresource="status")

    def wait_programmed(self, namespace: str, gateway: str) -> api_.Object:
        """The Gateway, once it is Accepted and Programmed."""
        return self._plane.api.wait_for(GATEWAY_API, "Gateway", namespace, gateway, is_programmed)

    def pods(self, namespace: str, gateway: str) -> list[api_.Object]:
        """The Envoy pods of a Gateway that are not being deleted."""
        found = self._plane.api.items("v1", "Pod", NAMESPACE, owned_by(namespace, gateway))
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def deployment(self, namespace: str, gateway: str) -> api_.Object | None:
        """The Deployment of a Gateway's Envoy pods, once the controller has made it."""
        found = self._plane.api.items("apps/v1", "Deployment", NAMESPACE, owned_by(namespace, gateway))
        return found[0] if found else None

    def access_logs(self, namespace: str, gateway: str) -> list[xds.AccessLog]:
        """The access logs of a Gateway's listeners, as its Envoy pods are told by xDS at this moment."""
        names = ("ca.crt", "tls.crt", "tls.key")
        ca, certificate, key = ((self._folder / "envoy-certs" / name).read_bytes() for name in names)
        credentials = xds.Credentials(ca, certificate, key)
        return xds.fetch_access_logs(f"unix:{self._folder / 'xds.sock'}", credentials, f"{namespace}/{gateway}")

    def _environment(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self._plane.kubeconfig("envoy-gateway")), "ENVOY_GATEWAY_NAMESPACE": NAMESPACE}

    def _make_certificates(self) -> None:
        command = [str(catalog.path_of("envoy-gateway")), "certgen", "--disable-topology-injector"]
        environment = {**os.environ, **self._environment()}
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=_COMMAND_SECONDS)
        # The controller's own, and those that its Envoy pods show to it.
        for secret, folder in (("envoy-gateway", "certs"), ("envoy", "envoy-certs")):
            target = self._folder / folder
            target.mkdir()
            for name, value in self._plane.api.get("v1", "Secret", NAMESPACE, secret)["data"].items():
                (target / name).write_bytes(base64.b64decode(value))


def owned_by(namespace: str, gateway: str) -> str:
    """The label selector of everything that Envoy Gateway makes for a Gateway."""
    label = "gateway.envoyproxy.io/owning-gateway"
    return f"{label}-name={gateway},{label}-namespace={namespace}"


def is_programmed(gateway: Mapping[str, Any]) -> bool:
    """Whether a Gateway is Accepted and Programmed."""
    return all(api_.condition(gateway, kind) == "True" for kind in ("Accepted", "Programmed"))


def wait_established(api: api_.Api, definition: str) -> None:
    """Return once the kind of a CustomResourceDefinition is served."""
    api.wait_for(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "",
        definition,
        lambda item: api_.condition(item, "Established") == "True",
    )


def _class_is_accepted(api: api_.Api) -> bool:
    found = api.find(GATEWAY_API, "GatewayClass", "", CLASS)
    return found is not None and api_.condition(found, "Accepted") == "True"


@contextlib.contextmanager
def running(plane: control_plane.ControlPlane) -> Iterator[EnvoyGateway]:
    """An Envoy Gateway that is installed and runs, for the length of a block."""
    gateway = EnvoyGateway(plane)
    try:
        gateway.install()
        gateway.start()
        yield gateway
    finally:
        gateway.stop()
