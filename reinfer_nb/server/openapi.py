"""The OpenAPI 3.1 document of the sandbox.

It is generated: the operations from `routes`, the fields, their types and their descriptions
from `schema`.
"""

from __future__ import annotations

import re
from typing import Any

from reinfer_nb.constants import VERSION
from reinfer_nb.docstrings import docstring
from reinfer_nb.schema import endpoints, records, validation
from reinfer_nb.schema.endpoints import TENANT_PATH, Call
from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.server.comments import schemas as comment_schemas
from reinfer_nb.server.routes import SERVED, Sent, Served

_NAME = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,256}$"}
_ID = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
_PARTS: dict[str, tuple[dict[str, Any], str]] = {
    "project": (_NAME, f"API name of the project: {validation.NAME_RULE}."),
    "name": (_NAME, f"API name in the project: {validation.NAME_RULE}."),
    "id": (_ID, f"Identifier: {validation.ID_RULE}."),
    "comment": ({"type": "string", "minLength": 1}, "Identifier of the comment: any text."),
}
_REASONS = {
    400: "The body is not a JSON object, or the host name is unknown.",
    401: "The token is missing or unknown.",
    403: "The user may see the object, but not do this.",
    404: "There is no such object, or the user may not see it.",
    409: "The name is taken.",
    413: "The body is too large.",
    415: "The body is not sent as application/json.",
    422: "The content is invalid; the message says why.",
    503: "The database cannot be read or written.",
}
_NOT_EMPTY = "The project is not empty, or the bucket feeds sources."
_STATUS = {"type": "string", "const": "ok"}
_STATISTICS = {
    "type": "object",
    "properties": {
        "num_comments": {"type": "integer", "minimum": 0, "description": "Number of comments."},
        "label_counts": {"type": "object", "description": "Always empty here."},
        "label_timeseries": {"type": "array", "description": "Always empty here."},
    },
    "required": ["num_comments", "label_counts", "label_timeseries"],
}
_FILTER = {
    "type": "object",
    "properties": {
        "comment_filter": {
            "type": "object",
            "properties": {
                "timestamp": comment_schemas.or_null(
                    {
                        "type": "object",
                        "properties": dict.fromkeys(
                            ("minimum", "maximum"), comment_schemas.or_null(comment_schemas.TIME)
                        ),
                    }
                )
            },
            "description": "The comments with a timestamp between both, which are included.",
        }
    },
    "required": ["comment_filter"],
}
_FORCE = {
    "name": "force",
    "in": "query",
    "schema": {"type": "boolean", "default": False},
    "description": "Delete its sources and buckets too.",
}


def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for served in SERVED:
        paths.setdefault(served.call.path, {})[served.call.method.lower()] = _operation(served)
    models = (records.Source, records.Project, records.Bucket, records.User)
    sent = {served.sent.schema_name: served.sent for served in SERVED if served.sent}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "A tenant in a box",
            "version": VERSION,
            "description": (
                "The requests on sources, comments, projects, buckets and users that the "
                "reinfer_nb sandbox serves. A path may follow the path of a tenant, as in "
                "/organisation/tenant/reinfer_/api/v1/sources. A sandbox with faults sends the "
                "errors of these faults too."
            ),
            "x-tenant-path": TENANT_PATH.pattern,
        },
        "security": [{"token": []}],
        "tags": [{"name": name} for name in ("sources", "projects", "buckets", "users")],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                **{model.__name__: _response_object(model) for model in models},
                **{name: _settings(settings) for name, settings in sent.items()},
                "Statistics": _STATISTICS,
                **comment_schemas.SCHEMAS,
                "Error": {
                    "type": "object",
                    "properties": {
                        "status": {"type": "string", "const": "error"},
                        "message": {"type": "string", "description": "For people."},
                    },
                    "required": ["status", "message"],
                },
            },
        },
    }


def _operation(served: Served) -> dict[str, Any]:
    call = served.call
    operation: dict[str, Any] = {
        "operationId": call.id,
        "summary": call.does[0].upper() + call.does[1:],
        "description": f"Permission: {call.permission}.",
        "tags": [_tag(call.path)],
        "parameters": [
            {"name": part, "in": "path", "required": True, "schema": schema, "description": text}
            for part in re.findall(r"\{(\w+)\}", call.path)
            for schema, text in [_PARTS[part]]
        ],
        "responses": {
            "200": {"description": "Done.", "content": _json(_envelope(served))},
            **{
                str(status): {"description": _reason(call, status), "content": _json(_ref("Error"))}
                for status in sorted({400, 401, 503, *served.refusals})
            },
        },
    }
    if served.force:
        operation["parameters"].append(_FORCE)
    operation["parameters"] += [
        {
            "name": name,
            "in": "query",
            "required": "minItems" in schema,
            "schema": {key: value for key, value in schema.items() if key != "description"},
            "description": schema["description"],
        }
        for name, schema in served.parameters.items()
    ]
    if call.method in ("PUT", "POST"):
        body = _body(served.sent) if served.sent else _other_body(served)
        operation["requestBody"] = {"required": True, "content": _json(body)}
    return operation


def _reason(call: Call, status: int) -> str:
    return _NOT_EMPTY if (call.method, status) == ("DELETE", 422) else _REASONS[status]


def _tag(path: str) -> str:
    match = re.search("sources|projects|buckets", path)
    return match[0] if match else "users"


def _body(sent: Sent) -> dict[str, Any]:
    properties = {sent.key: _ref(sent.schema_name), **sent.beside}
    return {"type": "object", "properties": properties, "required": [sent.key]}


def _other_body(served: Served) -> dict[str, Any]:
    if served.call in (endpoints.SYNC, endpoints.CREATE_COMMENTS):
        return comment_schemas.NEW_COMMENTS
    return _FILTER if served.key == "statistics" else {"type": "object"}


def _envelope(served: Served) -> dict[str, Any]:
    properties: dict[str, Any] = {"status": _STATUS}
    if served.call in comment_schemas.RESPONSES:
        properties |= comment_schemas.RESPONSES[served.call]
        required = [name for name in properties if name != "continuation"]
        return {"type": "object", "properties": properties, "required": required}
    if served.key == "permissions_refreshed":
        properties[served.key] = {
            "type": "null",
            "description": "Always null: permissions are current.",
        }
    elif served.key is not None:
        ref = _ref(served.model.__name__ if served.model else "Statistics")
        properties[served.key] = {"type": "array", "items": ref} if served.many else ref
    return {"type": "object", "properties": properties, "required": list(properties)}


def _response_object(model: type) -> dict[str, Any]:
    """Return the schema of an object in a response, which may have unknown fields too."""
    table = fields_of(model)
    return {
        "type": "object",
        "description": (docstring(model) or f"A {model.__name__.lower()}.").splitlines()[0],
        "properties": {field.wire: field.schema(in_response=True) for field in table},
        "required": [field.wire for field in table if _is_always_present(field)],
    }


def _is_always_present(field: Field) -> bool:
    """True if every response has the field: the tenant sets it, or it has a default."""
    return field.required or field.about.default is not None or not field.may("create")


def _settings(sent: Sent) -> dict[str, Any]:
    """Return the schema of the settings in a request, which may have no other fields."""
    writable = [field for field in fields_of(sent.model) if field.may(sent.operation)]
    properties = {field.wire: field.schema() for field in writable}
    if sent.operation == "update":
        for schema in properties.values():
            schema.pop("default", None)
    noun = sent.model.__name__.lower()
    return {
        "type": "object",
        "description": f"Settings in the {sent.operation} of a {noun}.",
        "properties": properties,
        "additionalProperties": False,
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
