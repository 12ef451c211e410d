"""A stand-in for the controller of Envoy AI Gateway, which no registry has: its pod webhook and its controller loop.

It plays the part of AI Gateway v0.5, v1.0 (as v0.6 and v0.7) or v1.1 that concerns the env of the Envoy pods, as it was
read from the releases' code and measured on the real v1.1.0:

- Pods of Envoy Gateway are mutated when they are created, if an AIGatewayRoute refers to their Gateway and the
  Gateway's filter-config Secret exists. extproc comes in as a native sidecar; its env is the controller's global list,
  then that of the GatewayConfig, where a name that comes again is replaced in place.
- Annotating a Gateway, or deleting a GatewayConfig, sets nothing off. A changed spec of a Gateway, of a GatewayConfig
  (for the Gateways that are annotated with it by then), or of a route does; and so does a start of the controller.
- v1.1 notes a hash of all inputs in the pod template of the Deployment, which rolls the pods when it changes, but waits
  (5 s and again) while a rollout goes on. v0.5 and v1.0 roll only where a pod has no sidecar, or one of another image.
- A GatewayConfig's status is one condition, written anew at each reconcile.
- While the controller is down, no pod of Envoy Gateway can be created: the webhook's failurePolicy is Fail.

What it leaves out: MCP routes, DaemonSets, and all that does not show in a pod's env.
"""

import base64
import contextlib
import json
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

import aiohttp
from aiohttp import web

from cluster import ai_gateway_controller as controller_
from cluster import background, control_plane, envoy_gateway, extproc, gateway_config_crd
from truth import ports

NAMESPACE: Final = "envoy-ai-gateway-system"
NAME: Final = "ai-gateway-controller"
WEBHOOK: Final = f"envoy-ai-gateway-gateway-pod-mutator.{NAMESPACE}"
_REQUEST_SECONDS: Final = 30.0


class AiGateway:
    """The stand-in on one control plane. It serves in a thread of its own; it can be stopped and started again."""

    def __init__(self, plane: control_plane.ControlPlane, settings: extproc.Settings) -> None:
        self.settings = settings
        self._plane = plane
        self._port = ports.free_port()
        self._running: background.Background | None = None

    @property
    def api_version(self) -> str:
        """The apiVersion of GatewayConfig and AIGatewayRoute that a client of this release should use."""
        return gateway_config_crd.version(self.settings.release)

    def install(self) -> None:
        """Apply the release's CRDs, the webhook's configuration, and the Deployment that would run the controller."""
        api = self._plane.api
        for definition in gateway_config_crd.definitions(self.settings.release):
            api.apply(definition)
        for definition in gateway_config_crd.definitions(self.settings.release):
            envoy_gateway.wait_established(api, definition["metadata"]["name"])
        api.forget_kinds()
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        api.apply(self._deployment())
        api.apply(self._webhook())

    def uninstall(self, *, definitions: bool = True) -> None:
        """Take away what install made, and with the CRDs all their objects."""
        api = self._plane.api
        api.delete("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", WEBHOOK)
        api.delete("apps/v1", "Deployment", NAMESPACE, NAME)
        if definitions:
            for each in gateway_config_crd.definitions(self.settings.release):
                api.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", each["metadata"]["name"])
            api.forget_kinds()

    def start(self) -> None:
        """Start the controller and the webhook; return once both work."""
        self._running = background.Background("ai-gateway", self._serve)
        self._running.start()

    def stop(self) -> None:
        """End both, as a controller that is down: what was installed stays."""
        if self._running:
            self._running.stop()
            self._running = None

    def route(self, namespace: str, gateway: str, name: str | None = None) -> dict[str, Any]:
        """A manifest of an AIGatewayRoute that refers to a Gateway of its namespace, by which pods get extproc."""
        parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway}
        return {
            "apiVersion": self.api_version,
            "kind": "AIGatewayRoute",
            "metadata": {"name": name or gateway, "namespace": namespace},
            "spec": {"parentRefs": [parent], "rules": []},
        }

    async def _serve(self, ready: Callable[[], None]) -> None:
        context = self._plane.authority.client_context(self._plane.client("ai-gateway"))
        timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            client = controller_.Client(session, self._plane.server, context)
            controller = controller_.Controller(client, self.settings, envoy_gateway.NAMESPACE)
            application = web.Application()
            application.router.add_post("/mutate", _Webhook(client, controller, self.settings).mutate)
            runner = web.AppRunner(application, access_log=None)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", self._port, ssl_context=self._serving_context()).start()
                await controller.run(ready)
            finally:
                await runner.cleanup()

    def _serving_context(self) -> ssl.SSLContext:
        pair = self._plane.authority.issue_server(f"ai-gateway-{self._port}", "IP:127.0.0.1")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        return context

    def _deployment(self) -> dict[str, Any]:
        labels = {"app.kubernetes.io/name": "ai-gateway-helm"}
        arguments = [f"--extProcImage={self.settings.image}", f"--extProcExtraEnvVars={self.settings.global_env}"]
        image = f"docker.io/envoyproxy/ai-gateway-controller:{self.settings.release}.0"
        container = {"name": NAME, "image": image, "args": arguments}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }

    def _webhook(self) -> dict[str, Any]:
        ca = base64.b64encode(self._plane.authority.own.certificate.read_bytes()).decode()
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": WEBHOOK},
            "webhooks": [
                {
                    "name": f"{NAME}.{NAMESPACE}.svc.cluster.local",
                    "clientConfig": {"url": f"https://127.0.0.1:{self._port}/mutate", "caBundle": ca},
                    "rules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                    ],
                    "objectSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "envoy-gateway"}},
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "failurePolicy": "Fail",
                }
            ],
        }


class _Webhook:
    def __init__(
        self, client: controller_.Client, controller: controller_.Controller, settings: extproc.Settings
    ) -> None:
        self._client = client
        self._controller = controller
        self._settings = settings

    # https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
    async def mutate(self, request: web.Request) -> web.Response:
        review = await request.json()
        asked = review["request"]
        response = {"uid": asked["uid"], "allowed": True}
        patch = await self._patch(asked["object"], asked["namespace"])
        if patch:
            encoded = base64.b64encode(json.dumps(patch).encode()).decode()
            response |= {"patchType": "JSONPatch", "patch": encoded}
        return web.json_response({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response})

    async def _patch(self, pod: dict[str, Any], namespace: str) -> list[dict[str, Any]]:
        labels = pod["metadata"].get("labels") or {}
        label = "gateway.envoyproxy.io/owning-gateway"
        gateway = (labels.get(f"{label}-namespace", ""), labels.get(f"{label}-name", ""))
        if not self._controller.has_route(gateway):
            return []
        secret = controller_.filter_config_name(gateway)
        if await self._client.call("GET", f"/api/v1/namespaces/{namespace}/secrets/{secret}") is None:
            return []
        return extproc.build_patch(pod, self._settings, self._controller.config_of(gateway), secret)


@contextlib.contextmanager
def running(plane: control_plane.ControlPlane, settings: extproc.Settings) -> Iterator[AiGateway]:
    """A stand-in that is installed and runs, for the length of a block; then nothing of it is left."""
    gateway = AiGateway(plane, settings)
    try:
        gateway.install()
        gateway.start()
        yield gateway
    finally:
        gateway.stop()
        gateway.uninstall()
