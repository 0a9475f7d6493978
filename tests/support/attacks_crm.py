"""What attackers try on the pages of the CRM; the rest of the list is in `attacks`. `ALL` are both, in order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
from attacks import ATTACKS, ESCAPED, ROUTES, TRAVERSAL, live, person_id
from canaries import CANARY_NAME
from desk_process import HTML, DeskProcess
from desk_world import HOSTILE
from sqlmodel import select

from store.crm_tables import Activity, ActivityLink, ActivityTracker, Attachment, Contact
from store.crm_work_tables import Document

SECRET: Final = "wanda@only-north.example"
TEXT: Final = "What was agreed about the harbour."
CRM_ROUTES: Final = tuple(route for route in ROUTES if route.path.startswith("/crm"))


@dataclass(frozen=True)
class Records:
    """Records of north, made by dana: a contact, an opportunity, a document, a mail with a file, a merge."""

    contact: str
    deal: str
    document: str
    activity: str
    merge: str

    def path(self, template: str, kind: str = "opportunity") -> str:
        ident = {"contact": self.contact, "opportunity": self.deal, "document": self.document}[kind]
        return template.format(kind=kind, record=ident, activity=self.activity, merge=self.merge, file="1")


def records(desk: DeskProcess) -> Records:
    """Made once for a home."""
    with desk.database.reading() as session:
        there = session.scalars(select(Activity).where(Activity.item_key == "attacks")).first()
        document = session.scalars(select(Document.id)).first() or ""
    with desk.client("dana.reid") as dana:
        def made(kind: str, **values: str) -> str:
            answer = dana.post(f"/crm/new/{kind}", data={"source": "card", **values})
            assert answer.status_code == 303, answer.text[:500]
            return str(answer.headers["location"].rpartition("/")[2])

        if there is None:
            contact = made("contact", first_name="Wanda", last_name=HOSTILE, email=SECRET, title=HOSTILE[:90])
            twin = made("contact", last_name=HOSTILE)
            deal = made("opportunity", title=f"Harbour {HOSTILE}", lead_name=HOSTILE)
            answer = dana.post("/crm/upload", data={"source": "mail"}, files={
                "file": (TRAVERSAL[0], b"Prices are as agreed with the office.", "text/html")})
            assert answer.status_code == 303, answer.text[:500]
            document = answer.headers["location"].rpartition("/")[2]
            assert dana.post(f"/crm/record/contact/{contact}/merge",
                             data={"target": f"contact:{twin}"}).status_code == 303
            with desk.database.session() as session:
                mail = Activity(item_key="attacks", subject=HOSTILE, body=f"{TEXT} {HOSTILE}", division="north",
                                participants=[{"role": "from", "name": HOSTILE, "email": SECRET}])
                session.add(mail)
                session.flush()
                session.add_all([
                    ActivityTracker(activity_id=mail.id, tracker="dana.reid@example.org"),
                    ActivityLink(activity_id=mail.id, record="contact", record_id=contact, how="hand"),
                    Attachment(activity_id=mail.id, number=1, name=f"{HOSTILE}\r\nX-Injected: 1", size=4,
                               content=b"plan", content_type="text/html")])
    with desk.database.reading() as session:
        activity = session.scalars(select(Activity.id).where(Activity.item_key == "attacks")).one()
        contact = session.scalars(select(Contact.id).where(Contact.email == SECRET)).one()
    [(deal,)] = desk.world.rows("SELECT id FROM opportunity")
    [(merge,)] = desk.world.rows("SELECT id FROM record_merge")
    return Records(contact, str(deal), str(document), activity, str(merge))


def others_records(desk: DeskProcess) -> str:
    """IDOR: every route of the CRM about a record of another division, and about one there is not."""
    at, tried = records(desk), 0
    before = desk.world.rows("SELECT (SELECT COUNT(*) FROM contact), (SELECT COUNT(*) FROM activity_tracker), "
                             "(SELECT COUNT(*) FROM document), (SELECT COUNT(*) FROM activity_link)")
    forms = {"confirm": {"target": f"contact:{at.contact}"}, "unlink": {"target": f"contact:{at.contact}"},
             "purge": {"sure": "yes", "reason": "asked"}, "merge": {"text": "wanda"}, "done": {"outcome": "x"},
             "relate": {"role": "about", "text": "harbour"}, "edit": {"title": "mine"}}
    with desk.client("marcus.lee") as marcus, desk.client("vera.stone") as vera, desk.client() as stranger:
        for route in (one for one in CRM_ROUTES if "{" in one.path):
            for kind in ("opportunity", "document", "contact"):
                path = at.path(route.path, kind)
                form = {"data": forms.get(path.rpartition("/")[2], {})} if route.method == "POST" else {}
                answer = marcus.request(route.method, path, headers=HTML, **form)  # type: ignore[arg-type]
                shared = route.name in ("crm_list", "crm_record", "crm_history", "crm_activity", "crm_new",
                                        "crm_create", "crm_ask", "crm_log", "crm_forget")
                assert answer.status_code in (403, 404, 409, 422) or shared, (route.name, kind, answer.status_code)
                assert SECRET not in answer.text, (route.name, kind)
                assert TEXT not in answer.text, (route.name, kind)
                assert not (kind != "contact" and "{record}" in route.path and answer.status_code == 200), path
                for other, codes in ((vera, (403, 404)), (stranger, (303, 401))):
                    assert other.request(route.method, path, headers=HTML, **form  # type: ignore[arg-type]
                                         ).status_code in codes, (route.name, kind)
                nobody = path.replace(at.contact, "0" * 32).replace(at.deal, "0" * 32).replace(
                    at.document, "0" * 32).replace(at.activity, "0" * 32).replace(at.merge, "0" * 32)
                answer = marcus.request(route.method, nobody, headers=HTML, **form)  # type: ignore[arg-type]
                assert answer.status_code in (403, 404, 409, 422) or route.name in (
                    "crm_list", "crm_new", "crm_create"), (route.name, answer.status_code)
                tried += 4
        for kind, ident in (("contact", at.deal), ("opportunity", at.contact), ("case", at.contact), ("person", "1"),
                            ("../case", at.contact), ("contact", f"{at.contact}%00"), ("contact", "' OR 1=1 --")):
            assert marcus.get(f"/crm/record/{kind}/{ident}", headers=HTML).status_code in (403, 404, 422), kind
            tried += 1
        found = marcus.post("/crm", data={"text": "harbour"}, headers=HTML).text + marcus.post(
            "/crm", data={"text": SECRET}, headers=HTML).text
        assert at.deal not in found
        assert at.document not in found
        assert f"contact/{at.contact}" not in found, "an address of another division finds nobody"
    after = desk.world.rows("SELECT (SELECT COUNT(*) FROM contact), (SELECT COUNT(*) FROM activity_tracker), "
                            "(SELECT COUNT(*) FROM document), (SELECT COUNT(*) FROM activity_link)")
    assert before == after, "nothing was made, changed or destroyed"
    return f"{tried} tries on {len(CRM_ROUTES)} routes: 403, 404; what is shared between divisions without the rest"


def scripts_in_records(desk: DeskProcess) -> str:
    """XSS and header injection: names, titles, text, names of files, what is looked for."""
    at, pages = records(desk), 0
    with desk.client("dana.reid") as dana:
        for route in (one for one in CRM_ROUTES if one.method == "GET" and "file" not in one.name):
            for kind in ("contact", "opportunity", "document"):
                answer = dana.get(at.path(route.path, kind), headers=HTML)
                _harmless(answer, route.name)
                pages += 1
        for form in ({"text": HOSTILE}, {"region": HOSTILE}, {"issue": HOSTILE}, {"kind": HOSTILE}):
            _harmless(dana.post("/crm", data=form, headers=HTML), "search")
        for name in ("source", "last_name", "email", "organisation_id", "category", "division", "region"):
            _harmless(dana.post("/crm/new/contact", data={"source": "card", "last_name": "x", name: HOSTILE},
                                headers=HTML), name)
        for act in ("merge", "relate"):
            _harmless(dana.post(f"/crm/record/contact/{at.contact}/{act}", headers=HTML,
                                data={"text": HOSTILE, "role": "about"}), act)
        for path in (at.path("/crm/activity/{activity}/file/1"),
                     at.path("/crm/record/{kind}/{record}/file", "document")):
            answer = dana.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/octet-stream", "never as a page"
            assert answer.headers["content-disposition"].startswith("attachment;")
            assert "x-injected" not in answer.headers
            assert ESCAPED not in answer.headers["content-disposition"] or "..%2F" not in answer.headers[
                "content-disposition"], "a name, not a path"
    return f"{pages + 13} pages and 2 files: no element, handler or header of theirs; files are kept, never shown"


def _harmless(answer: httpx.Response, where: str) -> None:
    assert answer.status_code < 500, where
    assert live(answer.text) == [], where
    assert "<script>window" not in answer.text, where
    title = re.search(r"<title>(.*?)</title>", answer.text, re.DOTALL)
    assert title is None or CANARY_NAME not in title[1]


def fields_of_records(desk: DeskProcess) -> str:
    """Mass assignment: columns nobody offers in a form."""
    at, tried = records(desk), 0
    extra: dict[str, Any] = {"owner": person_id(desk, "marcus.lee"), "division": "south", "id": "1" * 32,
                             "merged_into": at.deal, "email_key": "x", "created": "2001-01-01",
                             "stub": "MW-2026-000001", "last_contact_at": "2001-01-01", "updated": "2001-01-01"}
    with desk.client("dana.reid") as dana:
        answer = dana.post("/crm/new/contact", data={"source": "card", "last_name": "Plain", "source_url": ""} | extra)
        assert answer.status_code == 303
        ident = answer.headers["location"].rpartition("/")[2]
        tried += len(extra)
        seen = re.findall(r'name="seen" value="([^"]+)"', dana.get(f"/crm/record/contact/{ident}/edit").text)[0]
        assert dana.post(f"/crm/record/contact/{ident}/edit", data={"seen": seen, "title": "Clerk"} | extra
                         ).status_code == 303
        tried += len(extra)
        [row] = desk.world.rows("SELECT owner, division, merged_into, email_key, stub, title, created FROM contact "
                                "WHERE id = ?", ident)
        assert tuple(row)[:6] == (person_id(desk, "dana.reid"), "north", "", "", "", "Clerk")
        assert not str(row[6]).startswith("2001")
        for target in (f"case:{at.contact}", "contact", "person:1", f"contact:{at.contact}; DROP TABLE contact"):
            assert dana.post(f"/crm/activity/{at.activity}/confirm", data={"target": target}).status_code == 422
            tried += 1
    return f"{tried} tries: what the form does not offer is not looked at"


def large_uploads(desk: DeskProcess) -> str:
    """Files beyond the limit, several files, files where none belongs, an upload without a session."""
    most = desk.world.settings.web.upload_bytes
    before = desk.world.rows("SELECT COUNT(*) FROM document")
    with desk.client("dana.reid") as dana, desk.client() as stranger, desk.client("vera.stone") as vera:
        def sent(client: httpx.Client, size: int, path: str = "/crm/upload", **more: Any) -> int:
            try:
                return client.post(path, data={"source": "mail"}, files={
                    "file": ("a.txt", b"a" * size, "text/plain"), **more}).status_code
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                return 0

        assert sent(dana, most) in (413, 0)
        assert sent(dana, 1000, more=("b.txt", b"b", "text/plain")) in (400, 422), "two files"
        assert sent(dana, 1000, "/crm/new/contact") in (400, 422), "a file where none belongs"
        assert sent(stranger, most - 10_000) in (401, 303, 0), "its body is not read"
        assert sent(vera, 1000) == 403
        for name in TRAVERSAL:
            answer = dana.post("/crm/upload", data={"source": "mail"}, files={"file": (name, b"x" * 10, "text/plain")})
            assert answer.status_code in (303, 409), name
        for (name,) in desk.world.rows("SELECT name FROM document"):
            assert not set(name) & set("/\\"), "a name, not a path"
    assert list(desk.world.home.rglob(f"*{ESCAPED}")) == []
    made = desk.world.rows("SELECT COUNT(*) FROM document")[0][0] - before[0][0]
    return f"{most:,} bytes and more: 413; without a session not read; {made} names that climb are names"


CRM: Final[Mapping[str, Callable[[DeskProcess], str]]] = {
    "CRM: IDOR": others_records, "CRM: XSS": scripts_in_records, "CRM: mass assignment": fields_of_records,
    "CRM: uploads": large_uploads}
ALL: Final[Mapping[str, Callable[[DeskProcess], str]]] = {**ATTACKS, **CRM}
"""Name -> what is tried; in this order."""
