"""Writes addin/pane/src/apitypes.ts out of the OpenAPI document: the shapes the pane's script is checked against.

    python tests/support/pane_types.py

A test compares; `tsc` finds where the pane's script says something else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent.parent
FILE: Final = ROOT / "addin" / "pane" / "src" / "apitypes.ts"
_PLAIN: Final = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def document() -> dict[str, Any]:
    """The OpenAPI document of a service with a pane."""
    from addin.app import build_app
    from capture.settings import Settings

    base = Settings()
    app: Any = build_app(base.model_copy(update={
        "pane": base.pane.model_copy(update={"enabled": True}),
        "sign_in": base.sign_in.model_copy(update={"kind": "demo"})}))
    while not hasattr(app, "openapi"):
        app = app._app
    made: dict[str, Any] = app.openapi()
    return made


def render() -> str:
    """The whole file."""
    found = document()
    schemas: dict[str, Any] = found["components"]["schemas"]
    wanted: list[str] = []
    for path, methods in found["paths"].items():
        if path.startswith("/pane/api/"):
            for method in methods.values():
                bodies = [method.get("requestBody", {}), method["responses"].get("200", {})]
                for body in bodies:
                    _note(body.get("content", {}).get("application/json", {}).get("schema", {}), schemas, wanted)
    lines = ["// Made by tests/support/pane_types.py from the service's OpenAPI document; do not edit.", ""]
    for name in sorted(set(wanted), key=_short):
        lines += _interface(_short(name), schemas[name])
    return "\n".join(lines)


def _interface(name: str, schema: dict[str, Any]) -> list[str]:
    if "enum" in schema:
        return [f"export type {name} = {_type(schema)};", ""]
    required = set(schema.get("required", ()))
    fields = [f"  {key}{'' if key in required else '?'}: {_type(value)};"
              for key, value in schema.get("properties", {}).items()]
    return [f"export interface {name} {{", *fields, "}", ""]


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _short(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return " | ".join(f'"{value}"' for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        inner = _type(schema["items"])
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if schema.get("type") == "object":
        return f"Record<string, {_type(schema.get('additionalProperties') or {})}>"
    return _PLAIN.get(str(schema.get("type")), "unknown")


def _note(schema: Any, schemas: dict[str, Any], wanted: list[str]) -> None:
    if isinstance(schema, dict):
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name not in wanted:
                wanted.append(name)
                _note(schemas[name], schemas, wanted)
        for value in schema.values():
            _note(value, schemas, wanted)
    elif isinstance(schema, list):
        for value in schema:
            _note(value, schemas, wanted)


def _short(name: str) -> str:
    return name.rpartition("__")[2]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    FILE.write_text(render(), encoding="utf-8")
