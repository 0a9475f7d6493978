"""What `mailweir crm check` looks at in Dataverse: sign-in, tables, columns, keys, privileges, settings.

Nothing is written. Each thing that is missing is named as an administrator of Dataverse knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from capture.crm.dataverse_content import word
from capture.crm.dataverse_hosts import region_of
from capture.crm.dataverse_http import DataverseHttp, rows
from capture.crm.dataverse_tables import TABLES, TARGETS, Columns
from capture.crmsettings import DataverseSettings
from capture.errors import CaptureError, CrmDenied, RecordGone
from capture.ports import Check

KEY_LENGTH: Final = 64
ACTIVITY: Final = ("Create", "Read", "Write", "Append", "AppendTo", "Delete")
PAGE: Final = "docs/operators/dataverse.md"


def privileges(settings: DataverseSettings) -> dict[str, str]:
    """Every privilege mailweir needs, and what for."""
    tracker = Columns(settings.prefix).tracker
    needed = {f"prv{verb}Activity": "writing and reading activities" for verb in ACTIVITY}
    needed |= {f"prv{verb}{tracker}": "noting who tracked an item" for verb in ("Create", "Read", "Write", "Delete")}
    needed |= {f"prv{verb}Note": "files of tasks and phone calls, notes on activities"
               for verb in ("Create", "Read", "Append", "Delete")}
    for target in TARGETS:
        if target.name != "lead" or settings.leads:
            name = target.name.capitalize()
            needed |= {f"prvRead{name}": "matching", f"prvAppendTo{name}": "linking activities to records"}
    needed |= {"prvReadUser": "knowing who tagged", "prvReadOrganization": "the limits of files",
               "prvReadBusinessUnit": "divisions",
               "prvDeleteRecordChangeHistory": "taking pulled content out of the history of changes"}
    if settings.act_for_tracker:
        needed["prvActOnBehalfOfAnotherUser"] = "looking for records with the rights of the person who tagged"
    if settings.owner == "tracker":
        needed["prvAssignActivity"] = "giving activities to the person who tagged"
    return needed


def examine(http: DataverseHttp, settings: DataverseSettings) -> list[Check]:
    """Everything, in the order in which it is needed; what fails at the start makes the rest pointless."""
    try:
        who = http.get("/WhoAmI")
    except CaptureError as error:
        return [Check("dataverse-sign-in", False, f"Dataverse does not let us in: {error}",
                      "Check dataverse.url, tenant, client_id and the certificate or secret, and that the app is an "
                      f"application user of this environment; {PAGE} has the steps.")]
    region = region_of(urlsplit(http.base).hostname or "") or "of its own"
    return [Check("dataverse-sign-in", True, "Dataverse lets us in."),
            Check("dataverse-region", True, f"The organisation's host is in the region {region}."),
            *_tables(http, settings), *_guarded("dataverse-privileges", lambda: _privileges(http, settings, who)),
            *_guarded("dataverse-organisation", lambda: _organisation(http))]


def _guarded(code: str, look: Callable[[], Iterator[Check]]) -> list[Check]:
    try:
        return list(look())
    except CaptureError as error:
        return [Check(code, False, f"This could not be looked at ({error.facts or error.code}).",
                      "Give the application user the right to read this, or try again in a minute.")]


def _tables(http: DataverseHttp, settings: DataverseSettings) -> Iterator[Check]:
    """Our columns and keys on the tables of activities, and the table of trackers."""
    columns = Columns(settings.prefix)
    ours = (columns.key, columns.item, columns.filled, columns.stub)
    for table in TABLES:
        yield from _guarded(f"dataverse-table-{table.name}", partial(_table, http, table.name, ours, columns.key))
    more = (columns.key, columns.item, columns.name, columns.matched, columns.reason, columns.links,
            columns.asked)
    yield from _guarded("dataverse-table-tracker", partial(_table, http, columns.tracker, more, columns.key))


def _table(http: DataverseHttp, name: str, ours: tuple[str, ...], key: str) -> Iterator[Check]:
    code = f"dataverse-table-{name if '_' not in name else 'tracker'}"
    try:
        found = http.get(f"/EntityDefinitions(LogicalName='{name}')", {
            "$select": "LogicalName,IsOptimisticConcurrencyEnabled",
            "$expand": "Attributes($select=LogicalName),Keys($select=LogicalName,KeyAttributes,EntityKeyIndexStatus)"})
    except (RecordGone, CrmDenied) as error:
        if "404" not in error.facts:
            raise
        yield Check(code, False, f"There is no table {name}.", f"Make it as {PAGE} says, and publish it.")
        return
    there = {word(one, "LogicalName") for one in found.get("Attributes") or ()}
    missing = [column for column in ours if column not in there]
    keys = [one for one in found.get("Keys") or () if one.get("KeyAttributes") == [key]]
    if missing:
        yield Check(code, False, f"The table {name} lacks the columns {', '.join(missing)}.",
                    f"Add them as {PAGE} says: single line of text; {key} has {KEY_LENGTH} characters.")
    elif not keys:
        yield Check(code, False, f"The table {name} has no alternate key on {key}.", "Add the key and publish it.")
    elif word(keys[0], "EntityKeyIndexStatus") != "Active":
        yield Check(code, False, f"The alternate key on {key} of the table {name} is not active "
                                 f"({word(keys[0], 'EntityKeyIndexStatus') or 'unknown'}).",
                    "Wait until its index is made; if that failed, there are rows with the same value: remove them and "
                    "reactivate the key.")
    elif found.get("IsOptimisticConcurrencyEnabled") is False:
        yield Check(code, False, f"The table {name} does not support optimistic concurrency.",
                    "Without it a change somebody makes meanwhile would be overwritten; ask Microsoft's support.")
    else:
        yield Check(code, True, f"The table {name} has our columns and its key.")


def _privileges(http: DataverseHttp, settings: DataverseSettings, who: Any) -> Iterator[Check]:
    """Each privilege of the list, asked for by name."""
    found = http.get(f"/systemusers({who['UserId']})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()")
    held = {word(one, "PrivilegeName").casefold() for one in found.get("RolePrivileges") or ()}
    needed = privileges(settings)
    missing = {name: why for name, why in needed.items() if name.casefold() not in held}
    if not missing:
        yield Check("dataverse-privileges", True, f"All {len(needed)} privileges are there.")
    for name, why in missing.items():
        yield Check("dataverse-privilege", False, f"The privilege {name} is missing ({why}).",
                    "Add it to the security role of the application user.")


def _organisation(http: DataverseHttp) -> Iterator[Check]:
    """Settings of the organisation that matter to us."""
    found = rows(http.get("/organizations", {"$select": "maxuploadfilesize,isauditenabled", "$top": "1"}))
    if not found:
        yield Check("dataverse-organisation", False, "The settings of the organisation cannot be read.",
                    "Give the application user prvReadOrganization.")
        return
    size = int(found[0].get("maxuploadfilesize") or 0)
    yield Check("dataverse-file-limit", size > 0, f"Files up to {size:,} bytes are taken.",
                "" if size else "Set the maximum file size of the organisation's e-mail settings.")
    if found[0].get("isauditenabled") is True:
        yield Check("dataverse-history", True, "The organisation keeps a history of changes; that of a pulled activity "
                                               "is deleted with it.")
