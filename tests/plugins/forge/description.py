"""What a forge says of its own API, in an OpenAPI document: by it requests and answers are judged,
those of our plugins and those of our fakes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from jsonschema_rs import Draft202012Validator

Schema = dict[str, Any]

_KEPT = frozenset(
    {"type", "enum", "required", "pattern", "minimum", "maximum"}
    | {"minLength", "maxLength", "minItems", "maxItems"}
)
"""What means the same in JSON Schema."""
_JSON = "application/json"


class Description:
    """The operations of an OpenAPI 3.0 document. An API may take and tell more than is described;
    here whatever is not described is wrong, so that nothing rests on a name that we made up.
    """

    def __init__(self, document: Mapping[str, Any], name: str) -> None:
        self.name = name
        self._document = document
        self._paths = {_bare(path): item for path, item in document["paths"].items()}
        self._operations: dict[tuple[str, str], Operation | None] = {}

    def operation(self, method: str, template: str) -> Operation | None:
        """That of a method and a path with names in braces, whatever these are. None if there is
        no such operation.
        """
        key = method.lower(), _bare(template)
        if key not in self._operations:
            item = self._paths.get(key[1], {})
            told = item.get(key[0])
            self._operations[key] = told and Operation(self, item, told)
        return self._operations[key]

    def follow(self, told: Any) -> Any:
        """What a reference refers to; anything else is itself."""
        while isinstance(told, dict) and "$ref" in told:
            found: Any = self._document
            for part in told["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            told = found
        return told

    def schema(self, told: Any, *, is_part: bool = False) -> Schema:
        """The JSON Schema that a schema of OpenAPI means, without references. Objects have no other
        fields than those that it names; of parts of another schema, that one sees to it.
        """
        told = self.follow(told)
        made = {key: value for key, value in told.items() if key in _KEPT}
        if "properties" in told:
            made["properties"] = {
                name: self.schema(one) for name, one in told["properties"].items()
            }
        if "items" in told:
            made["items"] = self.schema(told["items"])
        if "allOf" in told:
            made["allOf"] = [self.schema(one, is_part=True) for one in told["allOf"]]
        has_fields = bool({"properties", "allOf"} & told.keys())
        for key in {"anyOf", "oneOf"} & told.keys():
            # Descriptions say `oneOf` also where several fit.
            branches = [self.schema(one, is_part=is_part or has_fields) for one in told[key]]
            made["anyOf"] = branches
        others = told.get("additionalProperties")
        if isinstance(others, dict):
            made["additionalProperties"] = self.schema(others)
        elif has_fields and not is_part and others is not True:
            made["unevaluatedProperties"] = False
        return _or_null(made) if told.get("nullable") else made


class Operation:
    """A method of a path."""

    def __init__(
        self, description: Description, item: Mapping[str, Any], told: Mapping[str, Any]
    ) -> None:
        self._description = description
        self._told = told
        every = (*item.get("parameters", ()), *told.get("parameters", ()))
        self._parameters = [description.follow(one) for one in every]
        self._answers: dict[int, tuple[Schema, Draft202012Validator] | None] = {}

    @cached_property
    def _query(self) -> Draft202012Validator:
        return self._of_parameters("query")

    @cached_property
    def _path(self) -> Draft202012Validator:
        return self._of_parameters("path")

    def _of_parameters(self, place: str) -> Draft202012Validator:
        here = [one for one in self._parameters if one["in"] == place]
        schemas = {one["name"]: self._description.schema(one["schema"]) for one in here}
        needed = [one["name"] for one in here if one.get("required")]
        return Draft202012Validator(
            {"properties": schemas, "required": needed, "additionalProperties": False}
        )

    @cached_property
    def _body(self) -> Draft202012Validator | None:
        body = self._description.follow(self._told.get("requestBody"))
        if body is None:
            return None
        return Draft202012Validator(self._description.schema(body["content"][_JSON]["schema"]))

    def faults(self, values: list[str], query: Mapping[str, str], body: bytes) -> Iterator[str]:
        """What is wrong with a request: with the values in its path, in their order, and so on."""
        names = [one["name"] for one in self._parameters if one["in"] == "path"]
        yield from _faults(self._path, self._typed(dict(zip(names, values, strict=True)), "path"))
        yield from _faults(self._query, self._typed(query, "query"))
        if self._body is None:
            if body:
                yield "it takes no body"
        elif body:
            yield from _faults(self._body, json.loads(body))
        elif self._description.follow(self._told["requestBody"]).get("required"):
            yield "it needs a body"

    def _typed(self, given: Mapping[str, str], place: str) -> dict[str, Any]:
        """Texts of an address, as what their types say they are."""
        typed: dict[str, Any] = dict(given)
        for one in self._parameters:
            if one["in"] == place and one["name"] in typed:
                type = self._description.follow(one["schema"]).get("type")
                if type in ("integer", "number", "boolean"):
                    # What can't be read is of another type, which is told.
                    with suppress(ValueError):
                        typed[one["name"]] = json.loads(typed[one["name"]])
        return typed

    def _answer(self, status: int) -> tuple[Schema, Draft202012Validator] | None:
        """The schema of an answer; None for one that has no JSON."""
        if status not in self._answers:
            told = self._description.follow(self._told["responses"].get(str(status), {}))
            self._answers[status] = None
            if _JSON in told.get("content", {}):
                made = self._description.schema(told["content"][_JSON]["schema"])
                self._answers[status] = made, Draft202012Validator(made)
        return self._answers[status]

    def whole(self, status: int, told: Any) -> Any:
        """An answer with the fields that it must have and that were left out: null, or empty."""
        described = self._answer(status)
        return told if described is None else _whole(described[0], told)

    def answer_faults(self, status: int, body: bytes) -> Iterator[str]:
        """What is wrong with an answer. Each operation may fail, and say why in its `message`."""
        described = self._answer(status)
        if described is not None:
            yield from _faults(described[1], json.loads(body))
        elif status >= 400:
            if not isinstance(json.loads(body).get("message"), str):
                yield "an error has a message"
        elif str(status) not in self._told["responses"] and status != 304:
            yield f"the status {status} is not described"
        elif body:
            yield "the answer has no body"


def _bare(template: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", template)


def _or_null(schema: Schema) -> Schema:
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    more: Schema = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **more}


def _faults(validator: Draft202012Validator, value: Any) -> Iterator[str]:
    for error in validator.iter_errors(value):
        at = ".".join(str(part) for part in error.instance_path)
        yield f"{at}: {error.message}" if at else error.message


_EMPTY: Mapping[str, Any] = {
    "null": None,
    "object": {},
    "array": [],
    "boolean": False,
    "integer": 0,
    "number": 0,
    "string": "",
}


def _whole(schema: Schema, told: Any) -> Any:
    if isinstance(told, list):
        items = schema.get("items", {})
        return [_whole(items, one) for one in told]
    if not isinstance(told, dict):
        return told
    made = dict(told)
    for part in _parts(schema, told):
        for name, one in part.get("properties", {}).items():
            if name in made:
                made[name] = _whole(one, made[name])
            elif name in part.get("required", ()):
                made[name] = _empty(one)
    return made


def _parts(schema: Schema, told: dict[str, Any]) -> Iterator[Schema]:
    """The schemas of objects that an object is to fit to, all at once."""
    yield schema
    for one in schema.get("allOf", ()):
        yield from _parts(one, told)
    fitting = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    # The one that knows most of its fields.
    known = lambda one: len(told.keys() & one.get("properties", {}).keys())  # noqa: E731
    if fitting:
        yield from _parts(max(fitting, key=known), told)


def _empty(schema: Schema) -> Any:
    if any(one.get("type") == "null" for one in schema.get("anyOf", ())):
        return None
    if "anyOf" in schema and "type" not in schema:
        return _empty(schema["anyOf"][0])
    types = schema.get("type", "object")
    if "null" in types:
        return None
    if "enum" in schema:
        return schema["enum"][0]
    return _whole(schema, _EMPTY[types])
