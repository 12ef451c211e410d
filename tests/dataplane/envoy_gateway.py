"""The configuration of an Envoy whose external processor notes fixed metadata, so that a test knows every field.

All else is the demo's: aigw_demo.envoy_config.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aigw_demo import envoy_config
from aigw_demo.envoy_config import METADATA_NAMESPACE, Raw, Route

LISTENER: Final = envoy_config.LISTENER
REWRITTEN: Final = "/rewritten"


def build_bootstrap(
    settings: Sequence[Raw],
    *,
    logs_port: int,
    upstream_port: int,
    metadata: Mapping[str, Mapping[str, float | str]],
) -> dict[str, Any]:
    """A bootstrap. `metadata` is what is noted on a request that has the header of that name.

    The LLM route rewrites the path, so that it is not the original one.
    """
    routes = [Route("/v1", upstream_port, rewrite=REWRITTEN), Route("/mcp", upstream_port)]
    return envoy_config.build_bootstrap(settings, logs_port=logs_port, routes=routes, script=_build_script(metadata))


def _build_script(metadata: Mapping[str, Mapping[str, float | str]]) -> str:
    """The Lua that notes it. A JSON string or number without control characters is a Lua one as well."""
    lines = ["function envoy_on_request(handle)", "local noted = handle:streamInfo():dynamicMetadata()"]
    for header, values in metadata.items():
        lines.append(f"if handle:headers():get({json.dumps(header)}) then")
        lines.append('handle:headers():replace("x-envoy-original-path", handle:headers():get(":path"))')
        for key, value in values.items():
            lines.append(f"noted:set({json.dumps(METADATA_NAMESPACE)}, {json.dumps(key)}, {json.dumps(value)})")
        lines.append("end")
    return "\n".join([*lines, "end"])
