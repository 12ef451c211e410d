"""Requests of access logs for tests of what becomes of kept records."""

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2


def failed_requests(first: int, count: int) -> tuple[bytes, list[str]]:
    """An ExportLogsServiceRequest of LLM requests that failed, numbered from `first` on; and their request ids."""
    request = logs_service_pb2.ExportLogsServiceRequest()
    logs = request.resource_logs.add()
    for key, value in (("aigw.gateway.name", "main"), ("aigw.gateway.namespace", "default"), ("k8s.pod.name", "pod-1")):
        logs.resource.attributes.add(key=key).value.string_value = value
    scope = logs.scope_logs.add()
    ids = [f"request-{number:06}" for number in range(first, first + count)]
    for number, name in enumerate(ids):
        record = scope.log_records.add(time_unix_nano=1_700_000_000_000_000_000 + (first + number) * 1_000_000)
        for key, value in (
            *(("ai_route_type", "llm"), ("response_code", "503"), ("gen_ai.request.model", "m")),
            *(("x-request-id", name), ("duration", "12")),
        ):
            record.attributes.add(key=key).value.string_value = value
    return request.SerializeToString(), ids
