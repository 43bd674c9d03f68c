# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that takes OTLP logs in JSON, and refuses whatever protobuf's mapping to JSON does not allow."""
import json
import re

from insert_server import InsertServer

INT64 = re.compile(r"-?(0|[1-9][0-9]*)")
# The messages of opentelemetry/proto/logs/v1/logs.proto and common.proto; a list is a repeated member.
MESSAGES = {
    "ExportLogsServiceRequest": {"resourceLogs": ["ResourceLogs"]},
    "ResourceLogs": {"resource": "Resource", "scopeLogs": ["ScopeLogs"], "schemaUrl": str},
    "Resource": {"attributes": ["KeyValue"], "droppedAttributesCount": int},
    "ScopeLogs": {"scope": "InstrumentationScope", "logRecords": ["LogRecord"], "schemaUrl": str},
    "InstrumentationScope": {"name": str, "version": str, "attributes": ["KeyValue"], "droppedAttributesCount": int},
    "LogRecord": {"timeUnixNano": "64", "observedTimeUnixNano": "64", "severityNumber": int, "severityText": str,
                  "body": "AnyValue", "attributes": ["KeyValue"], "droppedAttributesCount": int, "flags": int,
                  "traceId": "hex", "spanId": "hex", "eventName": str},
    "KeyValue": {"key": str, "value": "AnyValue"},
    "AnyValue": {"stringValue": str, "boolValue": bool, "intValue": "64", "doubleValue": float, "arrayValue": "ArrayValue",
                 "kvlistValue": "KeyValueList", "bytesValue": str},
    "ArrayValue": {"values": ["AnyValue"]},
    "KeyValueList": {"values": ["KeyValue"]},
}


def check_value(kind, value, where):
    if kind in MESSAGES:
        check_message(kind, value, where)
    elif kind == "64":
        assert isinstance(value, str) and INT64.fullmatch(value) and -2**63 <= int(value) < 2**64, (where, value)
    elif kind == "hex":
        assert isinstance(value, str) and re.fullmatch("([0-9a-f]{16}){1,2}", value), (where, value)
    else:
        assert type(value) is kind, (where, value)


def check_message(message, values, where=""):
    assert isinstance(values, dict), (where, values)
    assert message != "AnyValue" or len(values) == 1, (where, values)  # a oneof
    for name, value in values.items():
        kind = MESSAGES[message].get(name)
        assert kind, (where, name)
        if isinstance(kind, list):
            assert isinstance(value, list), (where, name)
            for one in value:
                check_value(kind[0], one, where + "." + name)
        else:
            check_value(kind, value, where + "." + name)


def plain(value):
    (kind, content), = value.items()
    return {"intValue": int, "arrayValue": lambda array: [plain(one) for one in array.get("values", [])]}.get(
        kind, lambda same: same)(content)


def attributes_of(values):
    names = [one["key"] for one in values["attributes"]]
    assert len(names) == len(set(names)), names
    return {one["key"]: plain(one["value"]) for one in values["attributes"]}


class OtlpServer(InsertServer):
    """`rows` has for each log record its members, its attributes by name, and those of its resource and scope."""

    success = b"{}"
    failure = json.dumps({"code": 13, "message": "made by the test", "details": []}).encode()

    @staticmethod
    def is_question(request):
        return False

    @staticmethod
    def parse(data):
        request, rows = json.loads(data), []
        check_message("ExportLogsServiceRequest", request)
        for logs in request["resourceLogs"]:
            resource = attributes_of(logs["resource"])
            for scope in logs["scopeLogs"]:
                for log in scope["logRecords"]:
                    attributes = attributes_of(log)
                    rows.append({"host": resource["host.name"], "id": attributes["netracker.id"], "event": log["eventName"],
                                 "time": int(log["timeUnixNano"]), "log": log, "attributes": attributes,
                                 "resource": resource, "scope": scope["scope"]})
        return rows
