"""The OpenAPI document as a page for people: plain HTML that loads nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; background: Canvas;
        --line: #8886; --soft: #8881; --get: #0a58ca; --put: #146c43;
        --post: #8a5700; --delete: #b02a37; }
@media (prefers-color-scheme: dark) {
  :root { --get: #8bb9fe; --put: #75c79b; --post: #f3c06b; --delete: #f19aa3; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem;
       overflow-wrap: anywhere; }
h2 { border-bottom: 1px solid var(--line); margin-top: 2.5rem; text-transform: capitalize; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { background: var(--soft); padding: .6rem; white-space: pre-wrap; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; }
summary { cursor: pointer; padding: .5rem .75rem; }
details > div { padding: 0 .75rem .75rem; }
summary span.what { display: block; padding-left: 1.1em; }
.method { font-weight: 700; display: inline-block; min-width: 4.5em; }
.get { color: var(--get); } .put { color: var(--put); }
.post { color: var(--post); } .delete { color: var(--delete); }
table { border-collapse: collapse; width: 100%; }
@media (min-width: 40rem) { td:nth-child(-n+2), td:first-child code { white-space: nowrap; } }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0;
         border-top: 1px solid var(--line); }
"""


def page(document: Mapping[str, Any]) -> str:
    """Return an OpenAPI document as an HTML page.

    Args:
        document: The document, as `openapi.document` makes it.
    """
    info = document["info"]
    sections = "".join(_section(document, tag["name"]) for tag in document["tags"])
    schemas = "".join(
        # The id is inside `details`: a browser that follows a link to the id opens them.
        f"<details><summary><code>{escape(name)}</code></summary><div id='{escape(name)}'>"
        f"<p>{escape(schema.get('description', ''))}</p>{_fields(schema)}</div></details>"
        for name, schema in document["components"]["schemas"].items()
    )
    title = escape(info["title"])
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{title}</h1><p>{escape(info['description'])}</p>"
        "<p>Every request needs the header <code>Authorization: Bearer &lt;token&gt;</code>. For "
        "programs: <a href='openapi.json'>openapi.json</a> "
        f"(OpenAPI {escape(document['openapi'])}).</p>"
        f"{sections}<h2>Objects</h2>{schemas}</main></body></html>"
    )


def _section(document: Mapping[str, Any], tag: str) -> str:
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    )
    return f"<h2>{escape(tag)}</h2>{operations}"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    name = escape(operation["operationId"])
    parts = [f"<p>{escape(operation['description'])} Name in faults: <code>{name}</code>.</p>"]
    if operation["parameters"]:
        rows = (
            (parameter["name"], _type(parameter["schema"]), parameter["description"])
            for parameter in operation["parameters"]
        )
        parts.append(_table(("parameter", "type", "description"), rows))
    if "requestBody" in operation:
        parts.append(f"<p>Request</p><pre>{_content(operation['requestBody'])}</pre>")
    parts.append(f"<p>Response</p><pre>{_content(operation['responses']['200'])}</pre>")
    refusals = (
        (status, "", response["description"])
        for status, response in operation["responses"].items()
        if status != "200"
    )
    parts.append(_table(("status", "", "when"), refusals))
    return (
        f"<details><summary><span class='method {escape(method)}'>{escape(method.upper())}</span> "
        f"<code>{escape(path)}</code> <span class='what'>{escape(operation['summary'])}</span>"
        "</summary>"
        f"<div>{''.join(parts)}</div></details>"
    )


def _content(holder: Mapping[str, Any]) -> str:
    """Return an outline of a JSON body, with links to its objects."""
    schema = holder["content"]["application/json"]["schema"]
    members = [
        f"{escape(json.dumps(name))}: {_type(member)}"
        for name, member in schema.get("properties", {}).items()
    ]
    return "{" + ", ".join(members) + "}"


def _fields(schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = (
        (name, _type(field), _described(field) + (" Always present." if name in required else ""))
        for name, field in schema["properties"].items()
    )
    return _table(("field", "type", "description"), rows)


def _described(schema: Mapping[str, Any]) -> str:
    description = str(schema.get("description", ""))
    if "default" in schema:
        description += f" Default: {json.dumps(schema['default'])}."
    return description


def _type(schema: Mapping[str, Any]) -> str:
    """Return the type of a value as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    if "const" in schema:
        return escape(json.dumps(schema["const"]))
    if "enum" in schema:
        return escape(" | ".join(json.dumps(value) for value in schema["enum"]))
    names = schema.get("type", "anything")
    if names == "array" and "items" in schema:
        return f"[{_type(schema['items'])}, …]"
    text = " or ".join([names] if isinstance(names, str) else names)
    return escape(f"{text} ({schema['format']})" if "format" in schema else text)


def _table(head: Iterable[str], rows: Iterable[tuple[str, str, str]]) -> str:
    heads = "".join(f"<th scope='col'>{escape(text)}</th>" for text in head)
    body = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{kind}</td><td>{escape(text)}</td></tr>"
        for name, kind, text in rows
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
