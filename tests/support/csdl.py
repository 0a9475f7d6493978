"""Checks JSON, addresses and selections against an OData metadata file (CSDL)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lxml import etree

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
PRIMITIVES: dict[str, type | tuple[type, ...]] = {
    "Edm.Boolean": bool, "Edm.Int16": int, "Edm.Int32": int, "Edm.Int64": int, "Edm.Double": (int, float)}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
KEYS_WITHOUT_TYPE = frozenset({"$value", "$count"})


class Metadata:
    """The types of one file. Names are given without their namespace."""

    def __init__(self, path: Path) -> None:
        root = etree.parse(path)
        self.types = {t.get("Name"): t for t in root.iter(f"{EDM}EntityType", f"{EDM}ComplexType", f"{EDM}EnumType")}
        self.sets = {s.get("Name"): _bare(s.get("EntityType")) for s in root.iter(f"{EDM}EntitySet")}
        self.operations: dict[str, list[Any]] = {}
        for operation in root.iter(f"{EDM}Action", f"{EDM}Function"):
            self.operations.setdefault(operation.get("Name"), []).append(operation)

    def members(self, name: str, tag: str = "") -> dict[str, str]:
        """Property name -> type, with inherited ones; `tag` "NavigationProperty" for those alone."""
        found: dict[str, str] = {}
        kind: str | None = name
        while kind:
            node = self.types[kind]
            for tags in ([tag] if tag else ["Property", "NavigationProperty"]):
                found = {p.get("Name"): p.get("Type") for p in node.iter(f"{EDM}{tags}")} | found
            kind = _bare(node.get("BaseType")) if node.get("BaseType") else None
        return found

    def problems(self, value: Any, expected: str, at: str = "$") -> Iterator[str]:
        """Each place where a value departs from a type such as "message" or "Collection(graph.event)"."""
        if value is None:
            return
        if expected.startswith("Collection("):
            if not isinstance(value, list):
                yield f"{at}: no list"
                return
            for index, one in enumerate(value):
                yield from self.problems(one, expected[len("Collection("):-1], f"{at}[{index}]")
        elif expected.startswith("Edm."):
            if not isinstance(value, PRIMITIVES.get(expected, str)) or (
                    expected.startswith("Edm.Int") and isinstance(value, bool)):
                yield f"{at}: {type(value).__name__} is no {expected}"
            elif expected == "Edm.DateTimeOffset" and not MOMENT.fullmatch(value):
                yield f"{at}: no moment with a zone"
        elif self.types[_bare(expected)].tag == f"{EDM}EnumType":
            if value not in {member.get("Name") for member in self.types[_bare(expected)]}:
                yield f"{at}: no member of {_bare(expected)}"
        elif not isinstance(value, dict):
            yield f"{at}: {type(value).__name__} is no {_bare(expected)}"
        else:
            yield from self._object(value, _bare(value.get("@odata.type", expected)), at)

    def _object(self, value: dict[str, Any], name: str, at: str) -> Iterator[str]:
        if name not in self.types:
            yield f"{at}: no type {name}"
            return
        known = self.members(name)
        for key, one in value.items():
            if "@" in key:
                continue  # protocol, not model
            if key not in known:
                yield f"{at}.{key}: no property of {name}"
            else:
                yield from self.problems(one, known[key], f"{at}.{key}")

    def walk(self, path: str) -> str:
        """The type behind an address below the version: "Collection(event)", "message", "" for bytes. Raises
        `LookupError` naming the segment that does not exist."""
        segments = [unquote(one) for one in path.strip("/").split("/")]
        first = segments.pop(0)
        name, many = self.sets[first], True
        while segments:
            segment = segments.pop(0)
            navigation = self.members(name, "NavigationProperty") if not many else {}
            if segment in KEYS_WITHOUT_TYPE:
                return ""
            if segment in self.operations:
                returned = self._operation(segment, name)
                if returned is not None:
                    return returned
            if many:
                many = False  # a key
            elif segment in navigation:
                many = navigation[segment].startswith("Collection(")
                name = _bare(navigation[segment])
            else:
                raise LookupError(f"{segment} below {name}")
        return f"Collection({name})" if many else name

    def _operation(self, segment: str, name: str) -> str | None:
        """What an operation bound to a type gives back; None when it is not bound to it."""
        for operation in self.operations[segment]:
            bound = operation.find(f"{EDM}Parameter").get("Type")
            if _bare(bound) == name:
                result = operation.find(f"{EDM}ReturnType")
                return f"Collection({_bare(result.get('Type'))})" if result is not None else ""
        return None

    def parameters(self, action: str) -> dict[str, str]:
        """The parameters of an action by their names in lower case, as JSON takes them without regard to case."""
        [operation] = self.operations[action]
        return {p.get("Name").casefold(): p.get("Type") for p in operation.findall(f"{EDM}Parameter")[1:]}


def _bare(name: str) -> str:
    return name.removeprefix("Collection(").removesuffix(")").rpartition(".")[2]
