"""The JSON Schemas of comments, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from reinfer_nb.schema import endpoints
from reinfer_nb.schema.endpoints import MOST_OF_REQUEST


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
TIME = {"type": "string", "format": "date-time"}
_CONTENT = {"type": "object", "properties": {"text": _TEXT}, "required": ["text"]}
_PEOPLE = {"type": "array", "items": _TEXT}
_MESSAGE = {
    "type": "object",
    "properties": {
        "body": _CONTENT,
        **dict.fromkeys(("subject", "signature"), or_null(_CONTENT)),
        "from": or_null(_TEXT),
        **dict.fromkeys(("to", "cc", "bcc"), or_null(_PEOPLE)),
        "sent_at": or_null(TIME),
        "language": or_null(_TEXT),
    },
    "required": ["body"],
}
_SENT = {
    "id": {"type": "string", "minLength": 1},
    "timestamp": TIME,
    "messages": {"type": "array", "items": {"$ref": "#/components/schemas/Message"}, "minItems": 1},
    "thread_id": or_null(_TEXT),
    "user_properties": {
        "type": "object",
        "patternProperties": {"^string:.": _TEXT, "^number:.": {"type": "number"}},
        "additionalProperties": False,
    },
    "attachments": or_null({"type": "array", "items": {"type": "object"}}),
}
_OWN = {"uid": _TEXT, "created_at": TIME, "has_annotations": {"type": "boolean"}}
_REQUIRED = ["id", "timestamp", "messages"]
_COMMENT = {"$ref": "#/components/schemas/Comment"}
_CHANGES = dict.fromkeys(("new", "updated", "unchanged"), _COUNT)

SCHEMAS: dict[str, dict[str, Any]] = {
    "Message": _MESSAGE,
    "Comment": {
        "type": "object",
        "description": "A comment: an email, a call or a chat.",
        "properties": {**_SENT, **_OWN},
        "required": [*_REQUIRED, *_OWN],
    },
    "NewComment": {
        "type": "object",
        "description": "A comment to store.",
        "properties": _SENT,
        "required": _REQUIRED,
    },
}
NEW_COMMENTS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "comments": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/NewComment"},
            "maxItems": MOST_OF_REQUEST,
        }
    },
    "required": ["comments"],
}
RESPONSES: dict[endpoints.Call, dict[str, Any]] = {
    endpoints.COMMENTS: {
        "comments": {"type": "array", "items": _COMMENT},
        "continuation": {"type": "string", "description": "Where the next page begins."},
    },
    endpoints.COMMENT: {"comment": _COMMENT},
    endpoints.SYNC: _CHANGES,
    endpoints.CREATE_COMMENTS: {},
}
