"""The Dockerfile's promises that can be read off it; tests/install/images.py builds it."""

import re

from install import images
from install.helm import CHART, TREE

_TEXT = (TREE / "Dockerfile").read_text()


def _stage(name: str) -> str:
    found = re.search(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", _TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_stages() -> None:
    """A target of the two images is gone, or takes the other one's environment along."""
    for target, other in (("operator", "receiver"), ("receiver", "operator")):
        stage = _stage(target)
        assert f"COPY --from={target}-environment /opt/aigw /opt/aigw" in stage
        assert f'ENTRYPOINT ["aigw-{target}"]' in stage
        assert "HEALTHCHECK" in stage
        environment = _stage(f"{target}-environment")
        assert f"COPY requirements/{target}.txt" in environment
        assert f"site-packages/aigw_{other};" in environment
        assert "--require-hashes" in environment


def test_base_can_be_pinned() -> None:
    """A base image cannot be named by its digest, or an image comes from somewhere else."""
    names = set(re.findall(r"^FROM (\S+)", _TEXT, re.MULTILINE))
    assert {"${PYTHON_IMAGE}", "wheel", "scratch", "runtime"} == names
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim-bookworm", images.base_name())


def test_no_host_of_an_index() -> None:
    """A build inside of a company's network goes past its mirror."""
    assert [] == re.findall(r"https?://(?!127\.0\.0\.1)", _TEXT)
    for argument in ("PIP_INDEX_URL", "PIP_CERT", "NPM_CONFIG_REGISTRY", "NPM_CONFIG_CAFILE"):
        assert f"ARG {argument}\n" in _stage("wheel")


def test_user() -> None:
    """The image runs as root, or as another user than the chart says."""
    assert "USER 10001:10001\n" in _stage("runtime")
    assert "runAsUser: 10001\n" in (CHART / "values.yaml").read_text()


def test_context() -> None:
    """A file that changes nothing makes another image, or a secret of the checkout gets into the build."""
    lines = [line for line in (TREE / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert "*" == lines[0]
    sent = {line.lstrip("!").rstrip("/") for line in lines if line.startswith("!")}
    assert {"pyproject.toml", "README.md", "LICENSE", "hatch_build.py", "operator", "receiver", "requirements"} == sent
