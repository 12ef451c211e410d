"""The CRDs of AI Gateway that tests need, by release: GatewayConfig in full, AIGatewayRoute with its parents only.

Written from what the releases' own CRDs hold: v0.5 serves v1alpha1; v0.6 to v1.0 store v1beta1, serve v1alpha1 still,
and have globalLLMRequestCosts; v1.1 has forwardProxy too. Both versions of a release have the same schema, and there is
no conversion.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal

Release = Literal["v0.5", "v1.0", "v1.1"]
"""v1.0 stands for v0.6 and v0.7, too"""
Schema = dict[str, Any]

GROUP: Final = "aigateway.envoyproxy.io"
_STRING: Final[Schema] = {"type": "string"}
_BOOLEAN: Final[Schema] = {"type": "boolean"}
_INT64: Final[Schema] = {"type": "integer", "format": "int64"}
_NUMBER: Final = r"([0-9]+(\.[0-9]*)?)|(\.[0-9]+)"
_QUANTITY: Final[Schema] = {
    "anyOf": [{"type": "integer"}, _STRING],
    "pattern": rf"^(\+|-)?({_NUMBER})(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?({_NUMBER})))?$",
    "x-kubernetes-int-or-string": True,
}
_IMAGE: Final = r"^[a-zA-Z0-9._-]+(:[0-9]+)?(/[a-zA-Z0-9._/-]+)?(:[a-zA-Z0-9._-]+)?(@sha256:[a-z0-9]+)?$"
_REPOSITORY: Final = r"^[a-zA-Z0-9._-]+(:[0-9]+)?[a-zA-Z0-9._/-]+$"
_COST_TYPES: Final = [
    "OutputToken",
    "InputToken",
    "CachedInputToken",
    "CacheCreationInputToken",
    "TotalToken",
    "ReasoningToken",
    "CEL",
]
_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"


def version(release: Release) -> str:
    """The version that clients of a release should use: the one that it stores."""
    return f"{GROUP}/{'v1alpha1' if release == 'v0.5' else 'v1beta1'}"


def definitions(release: Release) -> list[Schema]:
    """The CustomResourceDefinitions of a release."""
    config = _object({"spec": _object(_spec(release)), "status": _object({"conditions": _conditions()})})
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    parent = _object({"group": _STRING, "kind": _STRING, "name": _STRING, "namespace": _STRING}, ["name"])
    route = _object({"spec": {**_object({"parentRefs": _array(parent)}), **free}, "status": free})
    return [
        _definition("GatewayConfig", "gatewayconfigs", config, release, short_names=["gwconfig"]),
        _definition("AIGatewayRoute", "aigatewayroutes", route, release, short_names=["aigwroute"]),
    ]


def _spec(release: Release) -> Schema:
    spec = {"extProc": _object({"kubernetes": _container()})}
    if release != "v0.5":
        cost = {"metadataKey": _STRING, "type": {**_STRING, "enum": _COST_TYPES}, "cel": _STRING}
        spec["globalLLMRequestCosts"] = _by_key(_object(cost, ["metadataKey", "type"]), "metadataKey")
    if release == "v1.1":
        spec["forwardProxy"] = _object({"address": {**_STRING, "minLength": 1}}, ["address"])
    return spec


def _container() -> Schema:
    image_rule = _rule(f"self.matches('{_IMAGE}')", "Image must include a tag and allowed characters only.")
    repository_rule = _rule(f"self.matches('{_REPOSITORY}')", "ImageRepository must not include a tag.")
    quantities = {"type": "object", "additionalProperties": _QUANTITY}
    claim = _object({"name": _STRING, "request": _STRING}, ["name"])
    mount = {
        **dict.fromkeys(
            ("mountPath", "mountPropagation", "name", "recursiveReadOnly", "subPath", "subPathExpr"), _STRING
        ),
        "readOnly": _BOOLEAN,
    }
    fields = {
        # Plain lists: for server-side apply they are one value.
        "env": _array(_env()),
        "image": {**_STRING, **image_rule},
        "imageRepository": {**_STRING, **repository_rule},
        "resources": _object({"claims": _by_key(claim, "name"), "limits": quantities, "requests": quantities}),
        "securityContext": _security_context(),
        "volumeMounts": _array(_object(mount, ["mountPath", "name"])),
    }
    either = _rule("!has(self.image) || !has(self.imageRepository)", "Either image or imageRepository can be set.")
    return {**_object(fields), **either}


def _env() -> Schema:
    name = {**_STRING, "default": ""}
    key = _atomic(_object({"key": _STRING, "name": name, "optional": _BOOLEAN}, ["key"]))
    file = {"key": _STRING, "path": _STRING, "volumeName": _STRING, "optional": {**_BOOLEAN, "default": False}}
    resource = {"containerName": _STRING, "divisor": _QUANTITY, "resource": _STRING}
    sources = {
        "configMapKeyRef": key,
        "secretKeyRef": key,
        "fieldRef": _atomic(_object({"apiVersion": _STRING, "fieldPath": _STRING}, ["fieldPath"])),
        "fileKeyRef": _atomic(_object(file, ["key", "path", "volumeName"])),
        "resourceFieldRef": _atomic(_object(resource, ["resource"])),
    }
    return _object({"name": _STRING, "value": _STRING, "valueFrom": _object(sources)}, ["name"])


def _security_context() -> Schema:
    profile = _object({"localhostProfile": _STRING, "type": _STRING}, ["type"])
    names = {**_array(_STRING), "x-kubernetes-list-type": "atomic"}
    windows = {**dict.fromkeys(("gmsaCredentialSpec", "gmsaCredentialSpecName", "runAsUserName"), _STRING)}
    return _object(
        {
            **dict.fromkeys(
                ("allowPrivilegeEscalation", "privileged", "readOnlyRootFilesystem", "runAsNonRoot"), _BOOLEAN
            ),
            **dict.fromkeys(("runAsGroup", "runAsUser"), _INT64),
            **dict.fromkeys(("appArmorProfile", "seccompProfile"), profile),
            "capabilities": _object({"add": names, "drop": names}),
            "procMount": _STRING,
            "seLinuxOptions": _object(dict.fromkeys(("level", "role", "type", "user"), _STRING)),
            "windowsOptions": _object({**windows, "hostProcess": _BOOLEAN}),
        }
    )


def _conditions() -> Schema:
    qualified = rf"^({_LABEL}(\.{_LABEL})*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
    reason = {"minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"}
    fields = {
        "lastTransitionTime": {**_STRING, "format": "date-time"},
        "message": {**_STRING, "maxLength": 32768},
        "observedGeneration": {**_INT64, "minimum": 0},
        "reason": {**_STRING, **reason},
        "status": {**_STRING, "enum": ["True", "False", "Unknown"]},
        "type": {**_STRING, "maxLength": 316, "pattern": qualified},
    }
    item = _object(fields, ["lastTransitionTime", "message", "reason", "status", "type"])
    return {**_by_key(item, "type"), "maxItems": 8}


def _definition(kind: str, plural: str, schema: Schema, release: Release, *, short_names: Sequence[str]) -> Schema:
    schema["properties"] |= {"apiVersion": _STRING, "kind": _STRING, "metadata": {"type": "object"}}
    column = {"name": "Status", "type": "string", "jsonPath": ".status.conditions[-1:].type"}
    common = {
        "schema": {"openAPIV3Schema": schema},
        "served": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column],
    }
    old = {"name": "v1alpha1", "storage": release == "v0.5", **common}
    versions = [old]
    if release != "v0.5":
        old["deprecated"] = True
        old["deprecationWarning"] = f"{GROUP}/v1alpha1 is deprecated; use {GROUP}/v1beta1 instead"
        versions.append({"name": "v1beta1", "storage": True, **common})
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": list(short_names),
            },
            "versions": versions,
        },
    }


def _object(properties: Schema, required: Sequence[str] = ()) -> Schema:
    schema: Schema = {"type": "object", "properties": dict(properties)}
    return {**schema, "required": list(required)} if required else schema


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _by_key(items: Schema, key: str) -> Schema:
    return {**_array(items), "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def _atomic(schema: Schema) -> Schema:
    return {**schema, "x-kubernetes-map-type": "atomic"}


def _rule(rule: str, message: str) -> Schema:
    return {"x-kubernetes-validations": [{"rule": rule, "message": message}]}
