"""The few fields of Envoy's protocol buffers that tests read, as message classes made at run time; decides nothing.

A reader skips what its class does not declare. Numbers: https://www.envoyproxy.io/docs/envoy/latest/api-v3/api
"""

from typing import Any, Final

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {"string": _Field.TYPE_STRING, "uint32": _Field.TYPE_UINT32}
_PACKAGE: Final = "tests.xds"

# message: {field: (number, type)}; a type in a list is repeated, another message is named.
_SCHEMA: Final[dict[str, dict[str, tuple[int, str | list[str]]]]] = {
    "Node": {"id": (1, "string"), "cluster": (2, "string")},
    "DiscoveryRequest": {
        "version_info": (1, "string"),
        "node": (2, "Node"),
        "type_url": (4, "string"),
        "response_nonce": (5, "string"),
    },
    "DiscoveryResponse": {
        "version_info": (1, "string"),
        "resources": (2, ["Any"]),
        "type_url": (4, "string"),
        "nonce": (5, "string"),
    },
    "Listener": {
        "name": (1, "string"),
        "filter_chains": (3, ["FilterChain"]),
        "access_log": (22, ["AccessLog"]),
        "default_filter_chain": (25, "FilterChain"),
    },
    "FilterChain": {"filters": (3, ["Filter"])},
    "Filter": {"name": (1, "string"), "typed_config": (4, "Any")},
    "HttpConnectionManager": {"access_log": (13, ["AccessLog"])},
    "AccessLog": {"name": (1, "string"), "filter": (2, "AccessLogFilter"), "typed_config": (4, "Any")},
    "AccessLogFilter": {"and_filter": (6, "AndFilter"), "extension_filter": (11, "ExtensionFilter")},
    "AndFilter": {"filters": (1, ["AccessLogFilter"])},
    "ExtensionFilter": {"name": (1, "string"), "typed_config": (3, "Any")},
    "ExpressionFilter": {"expression": (1, "string")},
    "FileAccessLog": {"path": (1, "string")},
    "OpenTelemetryAccessLogConfig": {
        "common_config": (1, "CommonGrpcAccessLogConfig"),
        "attributes": (3, "KeyValueList"),
        "resource_attributes": (4, "KeyValueList"),
        "grpc_service": (9, "GrpcService"),
    },
    "CommonGrpcAccessLogConfig": {"log_name": (1, "string"), "grpc_service": (2, "GrpcService")},
    "GrpcService": {"envoy_grpc": (1, "EnvoyGrpc")},
    "EnvoyGrpc": {"cluster_name": (1, "string"), "authority": (2, "string")},
    "KeyValueList": {"values": (1, ["KeyValue"])},
    "KeyValue": {"key": (1, "string"), "value": (2, "AnyValue")},
    "AnyValue": {"string_value": (1, "string")},
    "Cluster": {"name": (1, "string"), "load_assignment": (33, "ClusterLoadAssignment")},
    "ClusterLoadAssignment": {"endpoints": (2, ["LocalityLbEndpoints"])},
    "LocalityLbEndpoints": {"lb_endpoints": (2, ["LbEndpoint"])},
    "LbEndpoint": {"endpoint": (1, "Endpoint")},
    "Endpoint": {"address": (1, "Address")},
    "Address": {"socket_address": (1, "SocketAddress")},
    "SocketAddress": {"address": (2, "string"), "port_value": (3, "uint32")},
}


def _build() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="tests/xds.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.append(any_pb2.DESCRIPTOR.name)
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for field, (number, type_) in fields.items():
            repeated = isinstance(type_, list)
            kind = type_[0] if isinstance(type_, list) else type_
            declared = message.field.add(name=field, number=number)
            declared.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            if kind in _SCALARS:
                declared.type = _SCALARS[kind]
            else:
                declared.type = _Field.TYPE_MESSAGE
                declared.type_name = ".google.protobuf.Any" if kind == "Any" else f".{_PACKAGE}.{kind}"
    # A pool of its own: the real definitions may be loaded beside it.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(any_pb2.DESCRIPTOR.serialized_pb))
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _SCHEMA}


_CLASSES: Final = _build()


def new(name: str, **fields: Any) -> Any:
    """A message of the schema above."""
    return _CLASSES[name](**fields)


def parse(name: str, data: bytes) -> Any:
    """A message of the schema above, from the wire."""
    return _CLASSES[name].FromString(data)
