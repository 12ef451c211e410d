"""`python -m standin.controller`: AI Gateway's controller as a pod, by the stand-in of the cluster tests.

It adds what concerns a real pod: its credentials are those of its ServiceAccount, its webhook shows the certificate of
a mounted Secret, and Envoy's container gets the volume with the sidecar's socket.
"""

import asyncio
import base64
import json
import logging
import os
import ssl
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from cluster import ai_gateway_controller, extproc

_LOG: Final = logging.getLogger(__name__)
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_KEYS: Final = Path("/keys")
_PORT: Final = 9443
_SECONDS: Final = 30.0
_LABEL: Final = "gateway.envoyproxy.io/owning-gateway"
_SOCKET_MOUNT: Final = {"name": "ai-gateway-extproc-uds", "mountPath": "/etc/ai-gateway-extproc-uds"}


class _Webhook:
    def __init__(self, client: ai_gateway_controller.Client, controller: ai_gateway_controller.Controller) -> None:
        self._client = client
        self._controller = controller
        self._settings = extproc.Settings()

    # https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
    async def mutate(self, request: web.Request) -> web.Response:
        review = await request.json()
        asked = review["request"]
        response = {"uid": asked["uid"], "allowed": True}
        if patch := await self._patch(asked["object"], asked["namespace"]):
            encoded = base64.b64encode(json.dumps(patch).encode()).decode()
            response |= {"patchType": "JSONPatch", "patch": encoded}
        return web.json_response({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response})

    async def _patch(self, pod: dict[str, Any], namespace: str) -> list[dict[str, Any]]:
        labels = pod["metadata"].get("labels") or {}
        gateway = (labels.get(f"{_LABEL}-namespace", ""), labels.get(f"{_LABEL}-name", ""))
        secret = ai_gateway_controller.filter_config_name(gateway)
        if not self._controller.has_route(gateway):
            return []
        if await self._client.call("GET", f"/api/v1/namespaces/{namespace}/secrets/{secret}") is None:
            return []
        patch = extproc.build_patch(pod, self._settings, self._controller.config_of(gateway), secret)
        for place, container in enumerate(pod["spec"]["containers"]):
            if container["name"] == "envoy":
                mounts = [*(container.get("volumeMounts") or ()), _SOCKET_MOUNT]
                patch.append({"op": "add", "path": f"/spec/containers/{place}/volumeMounts", "value": mounts})
        return patch


async def _run() -> None:
    server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    context = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(_KEYS / "tls.crt", _KEYS / "tls.key")
    headers = {"Authorization": f"Bearer {(_ACCOUNT / 'token').read_text().strip()}"}
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        client = ai_gateway_controller.Client(session, server, context)
        controller = ai_gateway_controller.Controller(client, extproc.Settings(), "envoy-gateway-system")
        app = web.Application()
        app.router.add_post("/mutate", _Webhook(client, controller).mutate)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "0.0.0.0", _PORT, ssl_context=serving).start()
            await controller.run(lambda: _LOG.info("all kinds are listed"))
        finally:
            await runner.cleanup()


def main() -> None:
    """Work until SIGTERM."""
    logging.basicConfig(level=logging.INFO)
    asyncio.run(_run())


if __name__ == "__main__":
    main()
