"""What the Dataverse stand-in does with one operation: reading, writing, and every rule it refuses one by."""

from __future__ import annotations

import base64
import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dataverse_filter import BadFilter, Filter
from dataverse_schema import ACTIVITIES, MIME, NOTES, OF_NAME, SPECS, Spec

if TYPE_CHECKING:
    from dataverse_server import Org

ROOT = "/api/data/v9.2"
FORBIDDEN = set("/<>*%&:\\?+")
"""Characters with which a value of an alternate key cannot be used in an address."""
PRIVILEGE = {"emails": "Activity", "appointments": "Activity", "phonecalls": "Activity", "tasks": "Activity",
             MIME: "Activity", NOTES: "Note", "contacts": "Contact", "accounts": "Account", "leads": "Lead",
             "opportunities": "Opportunity", "systemusers": "User", "organizations": "Organization",
             "businessunits": "BusinessUnit", "mw_trackers": "mw_tracker"}
Row = dict[str, Any]


class Refused(Exception):
    """An error reply."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code = status, code


class Request:
    """One operation, with the rights of one caller or of two."""

    def __init__(self, org: Org, headers: Any) -> None:
        self.org = org
        self.match, self.none_match = headers.get("If-Match") or "", headers.get("If-None-Match") or ""
        self.made = ""
        """the address of the row this made or changed, as `OData-EntityId` says it"""
        self.page = int((re.search(r"maxpagesize=(\d+)", headers.get("Prefer") or "") or [0, 5000])[1])
        caller = headers.get("CallerObjectId") or ""
        self.units: set[str] | None = None
        if caller:
            self.org.callers.append(caller)
            self._must("prvActOnBehalfOfAnotherUser")
            users = org.tables["systemusers"].values()
            user = next((r for r in users if r.get("azureactivedirectoryobjectid") == caller), None)
            if user is None:
                raise Refused(403, "0x80042f09")
            self.units = org.sees.get(user["systemuserid"])

    def run(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        if path == "/WhoAmI":
            return {"UserId": self.org.service, "OrganizationId": str(uuid.uuid4())}
        if path.startswith("/CheckPromoteEmail("):
            wanted = query["@m"][1:-1].replace("''", "'")
            there = any(r.get("messageid") == wanted for r in self.org.tables["emails"].values())
            return {"ShouldPromote": not there, "ReasonCode": 0}
        if path == "/DeleteRecordChangeHistory":
            self._must("prvDeleteRecordChangeHistory")
            return {"DeletedEntriesCount": len(self.org.history.pop(body["Target"]["activityid"], []))}
        if path == "/EntityDefinitions":
            return self._definitions(query)
        if found := re.fullmatch(r"/EntityDefinitions\((?:LogicalName='(\w+)'|([\w-]{36}))\)(?:/(Keys|Attributes))?",
                                 path):
            definition = self._definition(found[1] or _named(found[2]))
            return {"value": definition[found[3]]} if found[3] else definition
        if re.fullmatch(r"/EntityDefinitions\(.*\)/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata", path):
            return {"value": []}  # no column here has names for its numbers
        if path.endswith("/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"):
            return {"RolePrivileges": [{"PrivilegeName": name, "Depth": "Global"}
                                       for name in sorted(self.org.privileges)]}
        found = re.fullmatch(r"/(\w+)(?:\((.*?)\))?(?:/(\w+))?", path)
        if not found or found[1] not in SPECS:
            raise Refused(404, "0x80060888")
        spec = SPECS[found[1]]
        if spec.name in self.org.lacking:
            raise Refused(404, "0x80060888")
        if method == "GET":
            self._must(f"prvRead{PRIVILEGE.get(spec.path, '')}")
            return self._list(spec, query) if found[2] is None else self._shown(spec, self._one(spec, found[2]), query)
        if method == "POST" and found[2] is None:
            self.made = f"{spec.path}({self._create(spec, body).get(spec.key)})"
        elif method == "PATCH":
            self._upsert(spec, found[2], body)
        elif method == "DELETE":
            self._delete(spec, self._one(spec, found[2]))
        elif method == "PUT" and found[3] in spec.many:
            row = self._open(spec, self._one(spec, found[2]))
            self._parties(spec, row, found[3], body["value"])
        else:
            raise Refused(405, "0x80060888")
        return None

    # ---------------------------------------------------------------------------------------- reading

    def _must(self, privilege: str) -> None:
        if privilege not in self.org.privileges and privilege not in ("prvRead", "prvWrite", "prvCreate", "prvDelete"):
            raise Refused(403, "0x80040220")

    def _visible(self, spec: Spec, row: Row) -> bool:
        return not (spec.owned and self.units is not None and spec.path != "systemusers") or row["_unit"] in self.units

    def _one(self, spec: Spec, place: str) -> Row:
        key = re.fullmatch(r"(\w+)='(.*)'", place)
        if key:
            if key[1] not in spec.keys or f"key {spec.name}" in self.org.lacking:
                raise Refused(400, "0x80060888")
            if FORBIDDEN & set(key[2]):
                raise Refused(400, "0x8006088a")
            row = next((r for r in self.org.tables[spec.path].values() if r.get(key[1]) == key[2]), None)
        else:
            row = self.org.tables[spec.path].get(place.casefold())
        if row is None or not self._visible(spec, row):
            raise Refused(404, "0x80060891" if key else "0x80040217")
        return row

    def _list(self, spec: Spec, query: dict[str, str]) -> Row:
        try:
            test = Filter(query["$filter"], lambda row, name: self._value(spec, row, name)) \
                if "$filter" in query else None
        except BadFilter:
            raise Refused(400, "0x80060888") from None
        rows = [r for r in self.org.rows(spec.path) if self._visible(spec, r) and (test is None or test(r))]
        rows.sort(key=lambda row: _server_order(str(row[spec.key])))
        parts = [part.strip().partition(" ") for part in query.get("$orderby", "").split(",") if part]
        for column, _, way in reversed(parts):
            rows.sort(key=lambda row, name=column: str(self._value(spec, row, name) or "").casefold(),  # type: ignore[misc]
                      reverse=way.strip() == "desc")
        if "$top" in query:
            rows = rows[:int(query["$top"])]
        begin = int(query.get("$skiptoken", 0))
        made: Row = {"value": [self._shown(spec, row, query) for row in rows[begin:begin + self.page]]}
        if len(rows) > begin + self.page:
            again = query | {"$skiptoken": str(begin + self.page)}
            more = "&".join(f"{name}={value}" for name, value in again.items())
            made["@odata.nextLink"] = f"{self.org.url}{ROOT}/{spec.path}?{more}".replace(" ", "%20")
        return made

    def _value(self, spec: Spec, row: Row, name: str) -> Any:
        if name == "owningbusinessunit/name":
            return row["_unit"] or None
        if name in spec.many:
            path, column = spec.many[name]
            return self.org.of(path, column, row[spec.key])
        if name.startswith("_") and name.endswith("_value"):
            return row.get(name)
        self._known(spec, name)
        if name == "attachmentcount":
            return len(self.org.of(MIME, "objectid", row[spec.key]))
        return row.get(name)

    def _known(self, spec: Spec, name: str) -> None:
        known = spec.texts.keys() | spec.others | spec.fixed | {spec.key, "createdon"}
        if name not in known or f"{spec.name}.{name}" in self.org.lacking:
            raise Refused(400, "0x80060888")

    def _shown(self, spec: Spec, row: Row, query: dict[str, str]) -> Row:
        made: Row = {"@odata.etag": f'W/"{row["_version"]}"', spec.key: row[spec.key]}
        for name in filter(None, query["$select"].split(",")) if query.get("$select") else self._columns(spec):
            value = self._value(spec, row, name)
            made[name] = value
            if name.startswith("_") and value and f"{name}_type" in row:
                made[f"{name}@Microsoft.Dynamics.CRM.lookuplogicalname"] = row[f"{name}_type"]
        for name, inner in re.findall(r"(\w+)(?:\(\$select=([\w,]*)\))?", query.get("$expand", "")):
            if name == "owningbusinessunit":
                made[name] = {"name": row["_unit"]} if row["_unit"] else None
            elif name in spec.many:
                path, column = spec.many[name]
                made[name] = [self._shown(SPECS[path], one, {"$select": inner})
                              for one in self.org.of(path, column, row[spec.key])]
            else:
                raise Refused(400, "0x80060888")
        return made

    # ---------------------------------------------------------------------------------------- writing

    def _create(self, spec: Spec, body: Row) -> Row:
        self._must(f"prvCreate{PRIVILEGE.get(spec.path, '')}")
        body = dict(body)
        collections = {name: body.pop(name) for name in list(body) if name in spec.many}
        ident = str(body.get(spec.key) or uuid.uuid4())
        if ident in self.org.tables[spec.path]:
            raise Refused(412, "0x80040237")
        columns = self._checked(spec, body)
        for need in spec.needs:
            masks = {p["participationtypemask"] for found in collections.values() for p in found}
            if {"from": 1 in masks, "to": 2 in masks}.get(need, columns.get(need)) in (None, False):
                raise Refused(400, "0x80040203")
        self._unique(spec, columns, ident)
        if spec.path == "emails" and not columns.get("directioncode") and columns.get("messageid") and any(
                r.get("messageid") == columns["messageid"] for r in self.org.tables["emails"].values()):
            raise Refused(412, "0x80040333")
        columns.setdefault("directioncode", True) if "directioncode" in spec.others else None
        columns.pop(spec.key, None)
        owner = columns.get("_ownerid_value", self.org.service)
        unit = self.org.tables["systemusers"].get(owner, {}).get("_unit", "")
        if spec.path in (MIME, NOTES):
            self._file(spec, columns)
            if spec.path == MIME and self.org.drop_files:
                self.org.tables["emails"][columns["_objectid_value"]]["notifications"] = 1
                return {}
        self.org.add(spec.path, **{spec.key: ident}, unit=unit)
        row = self.org.tables[spec.path][ident]
        row |= columns
        self._cut(spec, row)
        for name, found in collections.items():
            self._parties(spec, row, name, found)
        return row

    def _upsert(self, spec: Spec, place: str, body: Row) -> None:
        try:
            row = self._one(spec, place)
        except Refused as refused:
            if refused.status != 404 or self.match:
                raise
            key = re.fullmatch(r"(\w+)='(.*)'", place)
            row = self._create(spec, body | ({key[1]: key[2]} if key else {spec.key: place}))
            self.made = f"{spec.path}({row.get(spec.key)})"
            return
        self.made = f"{spec.path}({row[spec.key]})"
        if self.none_match == "*" or (self.match not in ("", "*") and self.match != f'W/"{row["_version"]}"'):
            raise Refused(412, "0x80060882")
        self._must(f"prvWrite{PRIVILEGE.get(spec.path, '')}")
        if set(body) - {"statecode", "statuscode"}:
            self._open(spec, row)
        columns = self._checked(spec, body)
        self._unique(spec, columns, row[spec.key])
        if spec.path in ACTIVITIES and self.org.organisation()["isauditenabled"]:
            self.org.history.setdefault(row[spec.key], []).append(
                {name: row.get(name) for name in columns if row.get(name) != columns[name]})
        row |= columns
        self._cut(spec, row)
        self.org.version += 1
        row["_version"] = self.org.version

    def _delete(self, spec: Spec, row: Row) -> None:
        self._must(f"prvDelete{PRIVILEGE.get(spec.path, '')}")
        if self.match not in ("", "*") and self.match != f'W/"{row["_version"]}"':
            raise Refused(412, "0x80060882")
        if spec.path == MIME or spec.path == NOTES:
            self._open_owner(row)
        for path, column in spec.many.values():
            for one in self.org.of(path, column, row[spec.key]):
                del self.org.tables[path][one[SPECS[path].key]]
        del self.org.tables[spec.path][row[spec.key]]

    def _checked(self, spec: Spec, body: Row) -> Row:
        """The columns to write. Raises for what is not there, read-only, too long, or bound to nothing."""
        columns: Row = {}
        for name, value in body.items():
            bare = name.removesuffix("@odata.bind")
            if bare != name:
                if bare not in spec.binds:
                    raise Refused(400, "0x80048d19")
                column, path = spec.binds[bare]
                found = re.fullmatch(rf"/{path}\((.*)\)", value)
                target = self._one(SPECS[path], found[1]) if found else None
                if target is None:
                    raise Refused(400, "0x80048d19")
                columns |= {f"_{column}_value": target[SPECS[path].key], f"_{column}_value_type": SPECS[path].name}
                continue
            if name in spec.fixed:
                raise Refused(400, "0x80040203")
            self._known(spec, name)
            if name in spec.texts and value is not None and _units(str(value)) > spec.texts[name]:
                raise Refused(400, "0x80044331")
            columns[name] = value
        if "statecode" in columns and spec.states and columns.get("statuscode") not in spec.states.get(
                columns["statecode"], ()):
            raise Refused(400, "0x80040203")
        return columns

    def _unique(self, spec: Spec, columns: Row, ident: str) -> None:
        for key in spec.keys:
            if columns.get(key) is not None and any(r.get(key) == columns[key] and r[spec.key] != ident
                                                    for r in self.org.tables[spec.path].values()):
                raise Refused(412, "0x80060892")

    def _open(self, spec: Spec, row: Row) -> Row:
        """Completed mail and phone calls cannot be edited."""
        if spec.path in ("emails", "phonecalls") and row["statecode"] != 0:
            raise Refused(400, "0x80040203")
        return row

    def _open_owner(self, row: Row) -> None:
        for path in ACTIVITIES:
            if row.get("_objectid_value") in self.org.tables[path]:
                self._open(SPECS[path], self.org.tables[path][row["_objectid_value"]])

    def _file(self, spec: Spec, columns: Row) -> None:
        self._open_owner(columns)
        text = columns.get("body" if spec.path == MIME else "documentbody") or ""
        size = len(base64.b64decode(text, validate=True))
        if size > self.org.organisation()["maxuploadfilesize"]:
            raise Refused(400, "0x80044a02")
        ending = str(columns.get("filename") or "").rpartition(".")[2].casefold()
        if ending in str(self.org.organisation()["blockedattachments"]).split(";"):
            raise Refused(400, "0x80043e09")
        columns["filesize"] = size

    def _cut(self, spec: Spec, row: Row) -> None:
        most = self.org.cut_bodies
        if spec.path == "emails" and most and len(row.get("description") or "") > most:
            row["description"], row["notifications"] = row["description"][:most], 2

    def _parties(self, spec: Spec, row: Row, name: str, found: list[Row]) -> None:
        path, column = spec.many[name]
        for one in self.org.of(path, column, row[spec.key]):
            del self.org.tables[path][one[SPECS[path].key]]
        about = row.get("_regardingobjectid_value")
        own = [{"participationtypemask": 8, "_partyid_value": about,
                "_partyid_value_type": row["_regardingobjectid_value_type"]}] if about else []
        for party in [self._checked(SPECS[path], one) for one in found] + own:
            ident = self.org.add(path)
            self.org.tables[path][ident] |= party | {f"_{column}_value": row[spec.key]}

    def _columns(self, spec: Spec) -> list[str]:
        """Every column of a table that is there: what is shown when none is selected. Content in base64 is not."""
        lookups = sorted({f"_{column}_value" for column, _ in spec.binds.values()} | {
            f"_{column}_value" for one in SPECS.values() for path, column in one.many.values() if path == spec.path})
        plain = [*spec.texts, *sorted(spec.others), *sorted(spec.fixed)]
        return [name for name in dict.fromkeys((*plain, "createdon", *lookups))
                if name not in ("body", "documentbody", spec.key) and f"{spec.name}.{name}" not in self.org.lacking]

    def _definitions(self, query: dict[str, str]) -> Row:
        """The tables whose name is asked for, as a client looks up the path of one."""
        found = re.fullmatch(r"LogicalName eq '(\w+)'", query.get("$filter", ""))
        if not found:
            raise Refused(400, "0x80060888")
        name = found[1]
        if name not in OF_NAME or name in self.org.lacking:
            return {"value": []}
        spec = OF_NAME[name]
        whole = {"LogicalName": name, "SchemaName": name.capitalize(), "EntitySetName": spec.path,
                 "PrimaryIdAttribute": spec.key, "PrimaryNameAttribute": next(iter(spec.texts), spec.key),
                 "MetadataId": _metadata_id(name)}
        wanted = query.get("$select", "").split(",") if query.get("$select") else list(whole)
        return {"value": [{key: whole[key] for key in wanted}]}

    def _definition(self, name: str) -> Row:
        lacking = self.org.lacking
        if name not in OF_NAME or name in lacking:
            raise Refused(404, "0x80060888")
        spec = OF_NAME[name]
        names = [n for n in (*spec.texts, *spec.others, *spec.fixed) if f"{name}.{n}" not in lacking]
        keys = [] if f"key {name}" in lacking else [
            {"LogicalName": key, "KeyAttributes": [key],
             "EntityKeyIndexStatus": "Pending" if f"index {name}" in lacking else "Active"} for key in spec.keys]
        return {"LogicalName": name, "IsOptimisticConcurrencyEnabled": True, "Keys": keys,
                "Attributes": [{"LogicalName": n} for n in names]}


def _metadata_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def _named(ident: str) -> str:
    """The table whose definition has this id."""
    return next((name for name in OF_NAME if _metadata_id(name) == ident), "")


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def stamp(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _server_order(ident: str) -> bytes:
    """The order SQL Server gives ids of rows: by their last bytes first."""
    raw = uuid.UUID(ident).bytes_le if re.fullmatch(r"[0-9a-fA-F-]{36}", ident) else ident.encode()
    return raw[10:] + raw[8:10] + raw[6:8] + raw[4:6] + raw[:4]


def error_json(code: str) -> Row:
    return {"error": {"code": code, "message": "the message may quote an address: someone@client.example.com"}}
