# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks records against docs/record.schema.json.

The tests read some 100,000 records. python3-jsonschema needs 1.2 ms for each, so the schema is compiled to Python
functions, which need 0.1 ms. Only the keywords in CHECKS are supported; any other is an error.
tests/unit/test_schema.py compares the results with those of python3-jsonschema.

JSON Schema cannot express the order of keys or of list items, nor sums. This module checks them: keys stand in the order
of the schema's `properties`, the items of `gaps` in the order of its `enum`; `duration_ns` is from `start` to `time`.
"""
import calendar
import functools
import json
import os
import re
import time

DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs")
PATH = os.path.join(DOCS, "record.schema.json")
DEFINITIONS = {}  # of the schema that is being compiled
TYPES = {"string": str, "boolean": bool, "array": list, "object": dict}
ANNOTATIONS = {"$schema", "$comment", "$defs", "title", "description"}


class Invalid(ValueError):
    """A line that is not a valid record."""


def same(value, other):
    """Whether two JSON values are equal: true is not 1."""
    return type(value) is type(other) and value == other


def compile_type(name):
    if name == "integer":
        return lambda value: None if isinstance(value, int) and not isinstance(value, bool) else "is no integer"
    kind = TYPES[name]
    return lambda value: None if isinstance(value, kind) else "is no %s" % name


def compile_enum(names):
    if all(isinstance(name, str) for name in names):
        known = frozenset(names)
        return lambda value: None if isinstance(value, str) and value in known else "is none of %s" % names
    return lambda value: None if any(same(value, name) for name in names) else "is none of %s" % names


def compile_const(wanted):
    return lambda value: None if same(value, wanted) else "is not %r" % (wanted,)


def compile_pattern(pattern):
    matches = re.compile(re.sub(r"\$$", r"\\Z", pattern)).search
    return lambda value: None if not isinstance(value, str) or matches(value) else "does not match %s" % pattern


def limit(kind, is_within, text):
    """A compiler for a keyword that limits values of one kind and ignores others."""
    def compile_limit(bound):
        return lambda value: None if not isinstance(value, kind) or is_within(value, bound) else text % bound
    return compile_limit


def compile_unique(wanted):
    assert wanted is True
    return lambda value: None if not isinstance(value, list) or all(
        not same(one, other) for number, one in enumerate(value) for other in value[:number]) else "repeats an item"


def compile_items(schema):
    check = compile_schema(schema)
    return lambda value: first_error(check, value) if isinstance(value, list) else None


def first_error(check, values):
    for value in values:
        error = check(value)
        if error:
            return "%r %s" % (value, error)
    return None


def compile_contains(schema):
    check = compile_schema(schema)
    return lambda value: None if not isinstance(value, list) or any(check(item) is None for item in value) else \
        "has no item such as %s" % json.dumps(schema)


def compile_properties(schemas):
    checks = [(name, compile_schema(schema)) for name, schema in schemas.items()]

    def check_properties(value):
        for name, check in checks if isinstance(value, dict) else ():
            if name in value:
                error = check(value[name])
                if error:
                    return "%s: %r %s" % (name, value[name], error)
        return None
    return check_properties


def compile_required(names):
    return lambda value: None if not isinstance(value, dict) or all(name in value for name in names) else \
        "lacks %s" % ", ".join(name for name in names if name not in value)


def compile_dependent(dependencies):
    checks = [(name, compile_required(names)) for name, names in dependencies.items()]

    def check_dependent(value):
        for name, check in checks if isinstance(value, dict) else ():
            error = check(value) if name in value else None
            if error:
                return "has %s and %s" % (name, error)
        return None
    return check_dependent


def compile_not(schema):
    check = compile_schema(schema)
    return lambda value: "must not match %s" % json.dumps(schema) if check(value) is None else None


def compile_all(schemas):
    checks = [compile_schema(schema) for schema in schemas]

    def check_all(value):
        for check in checks:
            error = check(value)
            if error:
                return error
        return None
    return check_all


def compile_reference(reference):
    prefix, _, name = reference.rpartition("/")
    assert prefix == "#/$defs", reference
    return compile_schema(DEFINITIONS[name])


CHECKS = {
    "type": compile_type, "enum": compile_enum, "const": compile_const, "pattern": compile_pattern,
    "minimum": limit(int, lambda value, bound: value >= bound, "is below %d"),
    "maximum": limit(int, lambda value, bound: value <= bound, "is above %d"),
    "minLength": limit(str, lambda value, bound: len(value) >= bound, "is shorter than %d"),
    "maxLength": limit(str, lambda value, bound: len(value) <= bound, "is longer than %d"),
    "minItems": limit(list, lambda value, bound: len(value) >= bound, "has fewer than %d items"),
    "maxItems": limit(list, lambda value, bound: len(value) <= bound, "has more than %d items"),
    "uniqueItems": compile_unique, "items": compile_items, "contains": compile_contains,
    "properties": compile_properties, "required": compile_required, "dependentRequired": compile_dependent,
    "not": compile_not, "allOf": compile_all, "$ref": compile_reference,
}


def compile_condition(schema):
    condition = compile_schema(schema["if"])
    then, otherwise = compile_schema(schema.get("then", True)), compile_schema(schema.get("else", True))
    return lambda value: then(value) if condition(value) is None else otherwise(value)


def compile_closed(schema):
    assert schema["additionalProperties"] is False
    known = frozenset(schema["properties"])
    return lambda value: None if not isinstance(value, dict) or known.issuperset(value) else \
        "has unknown keys: %s" % ", ".join(sorted(set(value) - known))


def compile_schema(schema):
    """Returns a function that returns the error of a value, or None."""
    if isinstance(schema, bool):
        return (lambda _: None) if schema else (lambda _: "must be absent")
    rest = {key: part for key, part in schema.items() if key not in ANNOTATIONS}
    checks = []
    if "if" in rest:
        checks.append(compile_condition(rest))
    if "additionalProperties" in rest:
        checks.append(compile_closed(rest))
    for key in ("if", "then", "else", "additionalProperties"):
        rest.pop(key, None)
    checks += [CHECKS[key](part) for key, part in rest.items()]
    return checks[0] if len(checks) == 1 else compile_sequence(checks)


def compile_sequence(checks):
    def check_sequence(value):
        for check in checks:
            error = check(value)
            if error:
                return error
        return None
    return check_sequence


def is_ordered(names, places):
    found = [places[name] for name in names if name in places]
    return found == sorted(found)


def load_schema(path):
    """Returns a schema, and the function that returns the error of a value."""
    with open(path, encoding="utf-8") as file:
        schema = json.load(file)
    DEFINITIONS.clear()
    DEFINITIONS.update(schema["$defs"])
    return schema, compile_schema(schema)


SCHEMA, check_schema = load_schema(PATH)
KEYS = list(SCHEMA["properties"])
KEY_PLACES = {key: place for place, key in enumerate(KEYS)}
GAP_PLACES = {gap: place for place, gap in enumerate(SCHEMA["properties"]["gaps"]["items"]["enum"])}


@functools.lru_cache(maxsize=4096)
def seconds_of(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


def nanoseconds_of(text):
    """Nanoseconds since the Unix epoch of a time in a record."""
    return seconds_of(text[:19]) * 10**9 + int(text[20:29])


def lasts_until_its_time(record):
    return not {"start", "duration_ns"} <= record.keys() or \
        nanoseconds_of(record["start"]) + record["duration_ns"] == nanoseconds_of(record["time"])


def problem_of(record):
    """The error of a record, or None."""
    error = check_schema(record)
    if error is None and not is_ordered(record, KEY_PLACES):
        error = "keys are not in order: %s" % ", ".join(record)
    if error is None and not is_ordered(record.get("gaps", []), GAP_PLACES):
        error = "gaps are not in order: %s" % record["gaps"]
    if error is None and not lasts_until_its_time(record):
        error = "duration_ns does not end at time"
    return error


def object_of(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Invalid("duplicate keys: %s" % [key for key, _ in pairs])
    return found


def record_of(line):
    """The record on a line. Raises Invalid, or another ValueError if the line is not JSON."""
    record = json.loads(line, object_pairs_hook=object_of)
    error = problem_of(record)
    if error:
        raise Invalid("not a valid record: %s: %s" % (error, line if isinstance(line, str) else line.decode()))
    return record
