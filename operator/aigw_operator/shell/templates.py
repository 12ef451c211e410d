"""Reads the jinja2 templates of a receiver's objects out of the package, as texts. It renders nothing."""

from importlib import resources

from aigw_operator.core.manifests import Templates


def load_templates() -> Templates:
    """The texts of templates/receiver/*.yaml.j2 by file name."""
    folder = resources.files("aigw_operator").joinpath("templates", "receiver")
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return Templates({file.name: file.read_text(encoding="utf-8") for file in files if file.name.endswith(".j2")})
