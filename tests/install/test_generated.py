"""What is made from the chart, and for it, is current; and the rendered manifests are what kubectl takes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from install.helm import CHART, TREE, Helm

_MANIFESTS = TREE / "manifests"


def test_current(each_helm: Helm) -> None:
    """The chart was changed, or crds/, and `make manifests` was not run; or two Helms render differently."""
    command = [sys.executable, str(_MANIFESTS / "generate.py"), "--check", "--helm", str(each_helm.program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (0, "") == (done.returncode, done.stderr)


def test_rendered_without_helms_own(helm: Helm) -> None:
    """kubectl users get objects that say they are Helm's, or that are less than those of the chart."""
    rendered = {
        (item["kind"], item["metadata"]["name"]): item
        for item in yaml.safe_load_all((_MANIFESTS / "operator.yaml").read_text())
    }
    text = (_MANIFESTS / "operator.yaml").read_text()
    assert not [word for word in ("Helm", "helm.sh", "# Source") if word in text]
    installed = helm.template({"crds": {"install": False}}, "--no-hooks")
    assert {("Namespace", "aigw-telemetry"), *((kind, name) for kind, _, name in installed)} == set(rendered)
    for (kind, _, name), item in installed.items():
        labels = item["metadata"]["labels"]
        del labels["helm.sh/chart"], labels["app.kubernetes.io/managed-by"]
        assert item == rendered[kind, name]


def _kustomize(kubectl: Path, folder: Path) -> list[Any]:
    command = [str(kubectl), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return list(yaml.safe_load_all(done.stdout))


def _sorted(objects: list[Any]) -> list[str]:
    return sorted(json.dumps(item, sort_keys=True) for item in objects)


def test_kustomization(kubectl: Path) -> None:
    """kubectl apply -k leaves something out."""
    whole = [
        item for name in ("crds.yaml", "operator.yaml") for item in yaml.safe_load_all((_MANIFESTS / name).read_text())
    ]
    assert _sorted(whole) == _sorted(_kustomize(kubectl, _MANIFESTS))


@pytest.mark.parametrize("overlay", ["skywalking", "opentelemetry-collector"])
def test_overlays(kubectl: Path, overlay: str) -> None:
    """A policy of an overlay would be refused."""
    (policy,) = _kustomize(kubectl, _MANIFESTS / "overlays" / overlay)
    schema = yaml.safe_load((TREE / "crds" / "telemetry.aigw.dev_telemetrypolicies.yaml").read_text())
    known = schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert set(policy["spec"]) <= set(known)
    assert overlay == policy["metadata"]["name"]


def test_version() -> None:
    """Chart and program have different versions, so the chart asks for images that nobody builds."""
    project = (TREE / "pyproject.toml").read_text()
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert f'\nversion = "{chart["appVersion"]}"\n' in project
