"""Writes what is made from the chart and for it; with --check it only compares. It needs a Helm: --helm, else the PATH.

- charts/aigw-telemetry/files/ has copies of crds/ and rules/, since a chart cannot reach out of its own folder;
- charts/aigw-telemetry/values.schema.json takes the specs of the two kinds and the alerts' parameters over from there;
- manifests/operator.yaml and manifests/crds.yaml are the chart with its default values, as `helm template` renders it,
  less what only Helm reads.
"""

import argparse
import functools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

TREE: Final = Path(__file__).parents[1]
CHART: Final = TREE / "charts" / "aigw-telemetry"
SCHEMA: Final = CHART / "values.schema.json"
RELEASE: Final = "aigw"
NAMESPACE: Final = "aigw-telemetry"

HEAD: Final = """\
# Rendered from charts/aigw-telemetry by `make manifests`; edit it there.
"""

OPERATOR_HEAD: Final = f"""\
{HEAD}#
# The operator, ready to run: kubectl apply -f crds/ -f manifests/operator.yaml, or kubectl apply -k manifests
#
# The two images are names for your registry: put your own in their place.
#
# For a list of namespaces instead of all of them:
#   1. leave the ClusterRoleBinding "aigw-operator" out;
#   2. in each namespace of the list, bind the same rules by a RoleBinding:
#        kubectl create rolebinding aigw-operator --clusterrole=aigw-operator \\
#          --serviceaccount=aigw-telemetry:aigw-operator --namespace=NAMESPACE
#   3. name them to the operator: AIGW_OPERATOR_NAMESPACES=a,b
# The list takes the namespaces of the Gateways, of the TelemetryReceivers, and the one in which Envoy Gateway runs the
# pods of its Gateways (envoy-gateway-system, unless it runs them beside the Gateway). What has no namespace, and is
# only read, stays with the ClusterRole "aigw-operator-cluster".
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    app.kubernetes.io/part-of: aigw-telemetry
    pod-security.kubernetes.io/enforce: restricted
"""

# What Helm adds and only Helm reads.
_HELMS_OWN: Final = re.compile(r"^ *(helm\.sh/chart:|app\.kubernetes\.io/managed-by: Helm$)|^# Source: |^---$")

SPECS: Final = {
    "policySpec": ("telemetry.aigw.dev_telemetrypolicies.yaml", ("targetRefs", "targetSelectors")),
    "receiverSpec": ("telemetry.aigw.dev_telemetryreceivers.yaml", ()),
}
"""Of each definition of the values' schema: the file of the CRD, and the fields that the chart itself sets."""

RULES: Final = {"meters.yaml": "meters.yaml", "alerts.yaml": "chart/alerts.yaml"}
"""By name in the chart, files of rules/."""

PARAMETERS: Final = TREE / "rules" / "chart" / "parameters.yaml"

# A threshold that is no bound of its histogram would make an alert that never fires.
_BOUNDS: Final = re.compile(r"^#.*a bound of the histogram: ([0-9., ]+)\.\n(\w+):", re.MULTILINE)

_KEYWORDS: Final = (
    *("type", "enum", "pattern", "required", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
    *("minProperties", "maxProperties"),
)


def as_json_schema(schema: Mapping[str, Any], left_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """A structural schema as JSON Schema that refuses unknown keys, as the API server does. CEL is left out."""
    found: dict[str, Any] = {key: schema[key] for key in _KEYWORDS if key in schema}
    if "properties" in schema:
        fields = {name: below for name, below in schema["properties"].items() if name not in left_out}
        found["properties"] = {name: as_json_schema(below) for name, below in fields.items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            found["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            found[key] = as_json_schema(schema[key])
    return found


def schema_of_parameters() -> dict[str, Any]:
    """What the parameters of the alerts may be."""
    text = PARAMETERS.read_text()
    bounds = {name: [float(bound) for bound in each.split(",")] for each, name in _BOUNDS.findall(text)}
    properties: dict[str, Any] = {}
    for name, default in yaml.safe_load(text).items():
        kind = {"type": "string"} if isinstance(default, str) else {"type": "number", "minimum": 0}
        properties[name] = {"enum": bounds[name]} if name in bounds else kind
    return {"type": "object", "additionalProperties": False, "properties": properties}


def schema_of_values() -> str:
    """The values' schema with what crds/ and rules/ say of it."""
    schema = json.loads(SCHEMA.read_text())
    schema["properties"]["prometheusRule"]["properties"]["parameters"] = schema_of_parameters()
    for definition, (file, left_out) in SPECS.items():
        crd = yaml.safe_load((TREE / "crds" / file).read_text())
        spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        schema["definitions"][definition] = as_json_schema(spec, left_out)
    return json.dumps(schema, indent=2) + "\n"


def render(helm: str) -> str:
    """The chart's text with default values, without CRDs and hooks."""
    command = [
        helm,
        "template",
        RELEASE,
        str(CHART),
        "--namespace",
        NAMESPACE,
        "--no-hooks",
        "--set",
        "crds.install=false",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise SystemExit(done.stderr)
    documents = re.split(r"^---\n", done.stdout, flags=re.MULTILINE)
    lines = [[line for line in text.splitlines() if not _HELMS_OWN.match(line)] for text in documents]
    return "".join("---\n" + "\n".join(each).strip("\n") + "\n" for each in lines if any(line.strip() for line in each))


def parts_of_the_chart() -> dict[Path, str]:
    """Every file of the chart that is written here, with its text; it must be whole before Helm looks at it."""
    files = {CHART / "files" / "crds" / file.name: file.read_text() for file in _crds()}
    files |= {CHART / "files" / name: (TREE / "rules" / path).read_text() for name, path in RULES.items()}
    files[SCHEMA] = schema_of_values()
    return files


def manifests(helm: str) -> dict[Path, str]:
    """Every file of manifests/ that is written here, with its text."""
    folder = TREE / "manifests"
    crds = [file.read_text() for file in _crds()]
    return {folder / "crds.yaml": HEAD + "---\n".join(crds), folder / "operator.yaml": OPERATOR_HEAD + render(helm)}


def _crds() -> list[Path]:
    return sorted((TREE / "crds").glob("*.yaml"))


def main() -> int:
    """Write what differs, or say that it does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a file is not current")
    parser.add_argument("--helm", default=shutil.which("helm") or "", help="the program (default: helm of the PATH)")
    arguments = parser.parse_args()
    if not arguments.helm:
        parser.error("there is no helm on the PATH; name one by --helm")
    stale = []
    for outputs in (parts_of_the_chart, functools.partial(manifests, arguments.helm)):
        for path, text in outputs().items():
            if not path.exists() or path.read_text() != text:
                stale.append(path.relative_to(TREE))
                if not arguments.check:
                    path.write_text(text)
    for path in stale:
        sys.stderr.write(f"{path} {'is not current: make manifests' if arguments.check else 'written'}\n")
    return 1 if stale and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
