"""What the chart's hooks do at the API server, by the pod's ServiceAccount. It needs nothing but Python.

objects.py apply RELEASE FILE [NAMESPACE…]    applies the objects of a JSON list, and deletes those that RELEASE has
                                              applied before and that are not among them; in all namespaces, or these
objects.py stop DEPLOYMENT NAMESPACE LABELS   scales a Deployment to 0, and waits until it has no pods any more

Each request is tried again until the Job's own deadline ends it: CRDs that were created a moment ago are not served
yet.
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RELEASE = "telemetry.aigw.dev/release"
"""the label by which a release knows again what it has applied"""

# Receivers first: a policy that refers to one finds it.
PLURALS = {"TelemetryReceiver": "telemetryreceivers", "TelemetryPolicy": "telemetrypolicies"}
GROUP = "/apis/telemetry.aigw.dev/v1alpha1"

# The kubelet puts these into each pod that has a token.
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# What the next try may answer otherwise: a kind or a rule that is new (404, 403), a conflict, a server that is busy.
AGAIN = (403, 404, 409, 429, 500, 502, 503, 504)

Raw = dict[str, Any]


class RefusedError(Exception):
    """The API server refuses a request, and would again."""


class Cluster:
    """The API server."""

    def __init__(self, server: str, account: Path, *, pause: float = 1.0) -> None:
        self._server = server
        self._token = account / "token"
        self._pause = pause
        authority = account / "ca.crt"
        self._tls = ssl.create_default_context(cafile=authority) if server.startswith("https:") else None

    def request(self, method: str, path: str, body: object = None, content: str = "", *, missing: bool = False) -> Raw:
        """A request, until it is answered; with `missing` a 404 is an answer too."""
        headers = {"Accept": "application/json", "Content-Type": content or "application/json"}
        data = None if body is None else json.dumps(body).encode()
        while True:
            # Read anew each time, since the kubelet replaces it before it expires.
            headers["Authorization"] = f"Bearer {self._token.read_text().strip()}"
            request = urllib.request.Request(self._server + path, data, headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=30, context=self._tls) as response:
                    answer: Raw = json.loads(response.read())
                    return answer
            except urllib.error.HTTPError as error:
                text = error.read().decode(errors="replace")
                if error.code == 404 and missing:
                    return {}
                if error.code not in AGAIN:
                    message = f"{method} {path}: {error.code}: {text}"
                    raise RefusedError(message) from error
                say(f"{method} {path}: {error.code}: {text.strip()}; again")
            except OSError as error:
                say(f"{method} {path}: {error}; again")
            time.sleep(self._pause)


def say(line: str) -> None:
    """One line of the pod's log."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def apply(cluster: Cluster, release: str, wanted: Sequence[Raw], namespaces: Sequence[str]) -> None:
    """Apply what is wanted, and delete what else the release has applied before; policies go before receivers."""
    for kind, plural in PLURALS.items():
        for item in wanted:
            if item["kind"] == kind:
                meta = item["metadata"]
                path = f"{GROUP}/namespaces/{meta['namespace']}/{plural}/{meta['name']}"
                query = "?fieldManager=helm&force=true&fieldValidation=Strict"
                cluster.request("PATCH", path + query, item, "application/apply-patch+yaml")
                say(f"applied {kind} {meta['namespace']}/{meta['name']}")
    kept = {(item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]) for item in wanted}
    for kind, plural in reversed(PLURALS.items()):
        for scope in [f"/namespaces/{name}" for name in namespaces] or [""]:
            query = urllib.parse.urlencode({"labelSelector": f"{RELEASE}={release}"})
            for item in cluster.request("GET", f"{GROUP}{scope}/{plural}?{query}", missing=not wanted).get("items", ()):
                meta = item["metadata"]
                if (kind, meta["namespace"], meta["name"]) not in kept:
                    path = f"{GROUP}/namespaces/{meta['namespace']}/{plural}/{meta['name']}"
                    cluster.request("DELETE", path, missing=True)
                    say(f"deleted {kind} {meta['namespace']}/{meta['name']}")


def stop(cluster: Cluster, deployment: str, namespace: str, labels: str, *, pause: float = 1.0) -> None:
    """Scale a Deployment to 0, and wait for its pods to end. One that is not there is stopped already."""
    scale = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}/scale"
    cluster.request("PATCH", scale, {"spec": {"replicas": 0}}, "application/merge-patch+json", missing=True)
    query = urllib.parse.urlencode({"labelSelector": labels})
    while names := [
        item["metadata"]["name"]
        for item in cluster.request("GET", f"/api/v1/namespaces/{namespace}/pods?{query}").get("items", ())
        # A pod that has ended does nothing any more, and may lie about for long.
        if item.get("status", {}).get("phase") not in ("Succeeded", "Failed")
    ]:
        say(f"waiting for {', '.join(names)}")
        time.sleep(pause)
    say(f"Deployment {namespace}/{deployment} is stopped")


def main(arguments: Sequence[str], cluster: Callable[[], Cluster]) -> int:
    """Run one command; answers the exit status."""
    try:
        match arguments:
            case ["apply", release, file, *namespaces]:
                wanted = json.loads(Path(file).read_text() or "[]")
                apply(cluster(), release, wanted, namespaces)
            case ["stop", deployment, namespace, labels]:
                stop(cluster(), deployment, namespace, labels)
            case _:
                sys.stderr.write(__doc__)
                return 2
    except RefusedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def from_pod() -> Cluster:
    """The API server of the cluster that this pod runs in."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return Cluster(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}", ACCOUNT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], from_pod))
