"""What attackers of web services try, tried on the desk: each of `ATTACKS` returns what it did and how it was met.

An attack that gets through raises `AssertionError`. `python -m tests.benchmarks.owasp` prints the outcome of all.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
from canaries import CANARY_SIN
from desk_process import HTML, DeskProcess
from desk_world import HOSTILE, roster
from world import mail

from addin.edge import BODY_SECONDS
from addin.patience import HEAD_SECONDS
from addin.routes import routes_for
from store import allow
from store.access import Action
from store.allow import Wish
from store.columns import now
from store.week_rules import week_before, week_of

TRAVERSAL: Final = ("../../../../../../tmp/mailweir-escaped.csv",
                    "/var/tmp/mailweir-escaped.csv",  # noqa: S108 - to be refused
                    "..\\..\\mailweir-escaped.csv", "....//....//mailweir-escaped.csv")
ESCAPED: Final = "mailweir-escaped.csv"
MORE_MAILS: Final[Mapping[str, bytes]] = {"traversal": mail(
    "Lists", "The lists are attached.\n", to="marcus.lee@example.org",
    attachments=tuple((name, "text/csv", roster()) for name in TRAVERSAL))}
"""Mails the home needs besides the usual ones."""
EVIL: Final = "https://evil.example"
ROUTES: Final = routes_for("demo")
POSTS: Final = tuple(route for route in ROUTES if route.method == "POST" and isinstance(route.needs, Action))

class Targets:
    """Numbers of cases, and paths made of routes."""

    def __init__(self, desk: DeskProcess) -> None:
        self.north = desk.case("d.division = 'north' AND c.summary LIKE '%roster%'")
        self.small = desk.case("c.summary LIKE '%ca_sin%' AND c.summary NOT LIKE '%roster%' AND d.division = 'north'")
        self.south = desk.case("d.division = 'south' AND c.summary NOT LIKE '%roster%'")
        self.files = desk.cases("d.division = 'south' AND c.summary LIKE '%roster%'")[0]
        self.week = week_before(week_of(now()))

    def path(self, template: str, number: str = "") -> str:
        return template.format(number=number or self.north, rule="AL-00001", week=self.week, kind="contact",
                               record="0" * 32, activity="0" * 32, merge="0" * 32, file="1")

def person_id(desk: DeskProcess, name: str) -> str:
    """The id of somebody."""
    return str(desk.world.rows("SELECT id FROM person WHERE address = ?", f"{name}@example.org")[0][0])

class Tags(HTMLParser):
    """Whatever on a page could run: scripts that are not ours, handlers, addresses of scripts, foreign sources."""

    def __init__(self) -> None:
        super().__init__()
        self.live: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            text = (value or "").strip().casefold()
            if name.startswith("on") or name in ("srcdoc", "style") or text.startswith(("javascript:", "data:", "//")):
                self.live.append(f"{tag} {name}")
            if name in ("src", "href", "action", "formaction") and not text.startswith(("/", "#", "?")) and text:
                self.live.append(f"{tag} {name} leads away")
        given = dict(attrs)
        onward = re.fullmatch(r"\d+(;\s*url=/.*)?", given.get("content") or "", re.I)
        ours = {"script": given.get("src") == "/static/desk.js", "meta": "http-equiv" not in given or onward}
        if tag in ("script", "iframe", "object", "embed", "base", "img", "svg", "meta") and not ours.get(tag):
            self.live.append(tag)

def live(html: str) -> list[str]:
    """What could run on this page and is not ours."""
    tags = Tags()
    tags.feed(html)
    return tags.live

# --------------------------------------------------------------------------------------------------- the list

def csrf(desk: DeskProcess) -> str:
    """A form of another site: every POST route, without the token, with another's, from another origin."""
    at, tried = Targets(desk), 0
    with desk.client("vera.stone") as vera, desk.client("ines.bauer") as other:
        right, foreign = vera.headers["x-form-token"], other.headers["x-form-token"]
        del vera.headers["x-form-token"]
        before = desk.state(at.north), len(desk.events("quarantine:case:"))
        for route in POSTS:
            for heads in ({}, {"x-form-token": foreign}, {"x-form-token": right, "origin": EVIL},
                          {"x-form-token": right, "sec-fetch-site": "cross-site"},
                          {"x-form-token": right, "origin": "null"}):
                answer = vera.post(at.path(route.path), headers=heads, data={"reason": "confirmed"})
                assert answer.status_code == 403, (route.path, heads.keys(), answer.status_code)
                assert answer.json()["code"] in ("form-not-ours", "another-site"), route.path
                tried += 1
            if (route.path, "GET") not in {(r.path, r.method) for r in ROUTES}:
                assert vera.get(at.path(route.path)).status_code == 405, route.path
                tried += 1
        assert (desk.state(at.north), len(desk.events("quarantine:case:"))) == before
    return f"{tried} requests to {len(POSTS)} routes: 403 or 405, nothing changed"

def session_fixation(desk: DeskProcess) -> str:
    """A session planted before the sign-in, a copied one after the sign-out, a token in the address."""
    vera, planted = person_id(desk, "vera.stone"), desk.session_of("dana.reid")
    with desk.client(token=planted) as victim:
        done = victim.post("/sign-in/demo", data={"person": vera})
        assert done.status_code == 200
        cookie = done.headers["set-cookie"]
        assert all(word in cookie.lower() for word in ("httponly", "samesite=strict", "path=/")), "the cookie"
        fresh = re.search(r"mailweir=([^;]+)", cookie)
        assert fresh
        assert fresh[1] != planted
    with desk.client(token=planted) as attacker:
        assert attacker.get("/api/me").status_code == 401
    with desk.client(token=fresh[1]) as victim:
        assert victim.get("/api/me").json()["id"] == vera
        assert victim.post("/sign-out").status_code == 303
    with desk.client(token=fresh[1]) as attacker:
        assert attacker.get("/api/me").status_code == 401
    with desk.client() as attacker:
        for query in (f"?mailweir={planted}", f";mailweir={planted}", f"?session={planted}"):
            assert attacker.get("/api/me" + query).status_code in (401, 404)
    return "6 tries: the planted session is over, the new one has another token, a copy dies with the sign-out"

def scripts_in_content(desk: DeskProcess) -> str:
    """XSS: subject, sender, body, file name, a remark, a report, filters, addresses."""
    at, pages = Targets(desk), 0

    def page(client: httpx.Client, path: str, **more: Any) -> httpx.Response:
        nonlocal pages
        answer = client.request("POST" if more else "GET", path, headers=HTML, **more)
        assert live(answer.text) == [], path
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "<script>window" not in answer.text
        assert "<img" not in answer.text
        pages += 1
        return answer

    evil = quote(HOSTILE, safe="")
    with desk.client("vera.stone") as vera:
        for route in ROUTES:
            if route.method == "GET" and route.page:
                page(vera, at.path(route.path))
        for number in (at.north, at.small):
            parts = vera.get(f"/api/cases/{number}").json()["parts"]
            refs = [part["name"]["ref"] for part in parts if part["name"] and part["name"]["ref"]]
            refs += [block["ref"] for part in parts for block in part["blocks"]]
            refs += [run["ref"] for part in parts for block in part["blocks"] for run in block["runs"] if run["ref"]]
            revealed = [page(vera, f"/desk/case/{number}/reveal", data={
                "ref": ref, "reason": "decide", "remark": HOSTILE}).text for ref in dict.fromkeys(refs[:40])]
            if number == at.north:
                assert any("onerror=" in text for text in revealed), "nothing hostile was revealed: nothing was tried"
        page(vera, f"/desk/case/{at.north}/reveal", data={"ref": "remarks", "reason": "decide", "remark": "x"})
        page(vera, f"/desk/case/{at.north}")
        for path in (f"/desk?tab={evil}", f"/desk?division={evil}", f"/desk?tagger={evil}", f"/desk?after={evil}",
                     f"/desk/case/{evil}", f"/sign-in?next={evil}", f"/{evil}", f"/desk/case/{at.north}/{evil}"):
            page(vera, path)
        for field in ("reason", "ref", "remark"):
            page(vera, f"/desk/case/{at.north}/reveal", data={
                "ref": "x", "reason": "decide", "remark": "x", field: HOSTILE * 10})
        page(vera, f"/desk/case/{at.north}/release", data={"reason": HOSTILE})
    with desk.client("dana.reid") as dana:
        page(dana, f"/mine/{at.small}/report", data={"code": "other", "text": f"Not personal {HOSTILE}"})
        page(dana, "/mine")
    with desk.client("vera.stone") as vera:
        page(vera, f"/desk/case/{at.small}/reports")
    with desk.client("aya.tamm") as aya:
        for name in ("person", "subject", "since", "until"):
            page(aya, f"/readings?{name}={evil}")
        page(aya, f"/week/{evil}")
        page(aya, f"/week/{at.week}/comment", data={"flag": HOSTILE, "text": HOSTILE})
        page(aya, f"/week/{at.week}")
    return f"{pages} pages: no element, handler or address of theirs; the policy for scripts on each"

def header_injection(desk: DeskProcess) -> str:
    """CR and LF, and headers that speak of another host."""
    tried = 0
    tail = "%0d%0aX-Injected:%201%0d%0aSet-Cookie:%20mailweir=evil"
    at = Targets(desk)
    with desk.client("vera.stone") as vera:
        for path in (f"/sign-in?next=/desk{tail}", f"/sign-in/again?next=/desk{tail}", f"/desk?tab=queue{tail}",
                     f"/desk?after={tail}", f"/desk/case/{at.north}{tail}", f"/week/x{tail}", f"/{tail}",
                     f"/api/cases/x{tail}"):
            for heads in (HTML, {}):
                _plain_heads(vera.get(path, headers=heads))
                tried += 1
        for name in ("x-forwarded-host", "x-host", "x-original-url", "x-rewrite-url", "forwarded"):
            answer = vera.get("/sign-in/again?next=/desk", headers=HTML | {name: "evil.example"})
            assert "evil" not in answer.headers.get("location", "") + answer.text
            tried += 1
        for host in ("evil.example", "localhost.evil.example", "localhost@evil.example", "localhost:80:evil.example",
                     "localhost:evil.example", "localhost/evil.example"):
            assert vera.get("/desk", headers={"host": host}).status_code in (400, 421), host
            tried += 1
        _plain_heads(vera.post(f"/desk/case/{at.north}/claim", data={"back": "queue\r\nX-Injected: 1"}))
        _plain_heads(vera.post(f"/desk/case/{at.north}/claim", data={"give_back": "1"}))
    with desk.client("nora.field") as nora:
        form = {"what": "cases\r\nX-Injected: 1", "form": "csv", "reason": "audit-office", "recipient": "internal"}
        answer = nora.post("/export/accounts", data=form)
        assert answer.status_code == 422
        _plain_heads(answer)
    return f"{tried + 3} tries: no header of theirs, other hosts answered 421"

def _plain_heads(answer: httpx.Response) -> None:
    assert "x-injected" not in answer.headers
    assert "evil" not in answer.headers.get("set-cookie", "")
    assert "\n" not in answer.headers.get("location", "")
    assert answer.status_code < 500, answer.status_code

def path_traversal(desk: DeskProcess) -> str:
    """Names of attachments and addresses that climb."""
    at, tried = Targets(desk), 0
    with desk.client("milan.faro") as milan:
        shown = milan.get(f"/desk/case/{at.files}", headers=HTML)
        assert shown.status_code == 200
        assert ESCAPED not in shown.text
        parts = milan.get(f"/api/cases/{at.files}").json()["parts"]
        names = [part["name"]["ref"] for part in parts if part["name"] and part["name"]["ref"]]
        assert len(names) >= len(TRAVERSAL)
        told = [milan.post(f"/api/cases/{at.files}/reveal", json={
            "ref": ref, "reason": "decide", "remark": "to see"}).json()["value"] for ref in names]
        assert any(ESCAPED in name for name in told), "the names did not come through: nothing was tried"
        answer = milan.post(f"/api/cases/{at.files}/redact", json={"reason": "personal-part-removed", "found": True})
        assert answer.status_code in (200, 409), answer.text
        milan.post(f"/api/cases/{at.files}/undo")
        for climb in ("/static/../../../etc/passwd", "/static/..%2f..%2f..%2fetc%2fpasswd", "/static/%2e%2e/routes.py",
                      "/static/desk.css/../../routes.py", "/desk/case/..%2f..%2fetc", "/week/..%2f..%2fetc%2fpasswd",
                      "/%2e%2e/%2e%2e/etc/passwd", "/static/desk.css%00.svg", "/allow/..%5c..%5cetc/approve"):
            answer = milan.get(climb)
            assert answer.status_code in (403, 404, 405, 422), (climb, answer.status_code)
            assert "root:" not in answer.text
            tried += 1
    places = [Path(tempfile.gettempdir()), Path("/"), Path.cwd(), *desk.world.home.parents]
    assert [str(place) for place in places if (place / ESCAPED).exists()] == []
    assert list(desk.world.home.rglob(f"*{ESCAPED}")) == []
    return f"{len(names)} file names that climb are masked and never a path; {tried} addresses: 403, 404, 405"

def open_redirect(desk: DeskProcess) -> str:
    """Ways on after a sign-in that lead elsewhere."""
    wanted = (EVIL, "//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "/%2fevil.example",
              "javascript:alert(1)", "data:text/html,x", "/desk/../..//evil.example", "/desk?next=https://evil.example",
              "/desk#//evil.example", " /desk", "/desk%00", "/@evil.example", "http:///evil.example", "/.evil.example")
    vera_id = person_id(desk, "vera.stone")
    for path in wanted:
        with desk.client("vera.stone") as vera:
            away = vera.get("/sign-in/again", params={"next": path}).headers["location"]
            shown = vera.get("/sign-in", params={"next": path}, headers=HTML).text
            onward = vera.post("/sign-in/demo", data={"person": vera_id, "next": path}, headers=HTML).text
            gone = vera.get("/" + path.lstrip("/"), headers=HTML)
        assert urlsplit(away).netloc == "", path
        assert urlsplit(away).path == "/sign-in", path
        assert re.search(r"next=([^&]*)$", away), away
        assert urlsplit(gone.headers.get("location", "")).netloc == "", path
        for text in (shown, onward):
            assert live(text) == [], path
            assert not re.search(r"""(?:href|action|content|value)="[^"]*evil""", text), path
    return f"{4 * len(wanted)} tries: on to a page of ours, else to the start"

def mass_assignment(desk: DeskProcess) -> str:
    """Fields nobody asked for: who, when, for whom, in which state."""
    at = Targets(desk)
    extra = {"made_by": "x", "actor": "x", "by": "x", "division": "south", "state": "released", "seconds": 0,
             "needs_second": False, "second_by": "x", "tagger": "", "roles": ["administrator"],
             "effective": "2020-01-01"}
    bodies = {"claim": {"claim": True}, "reveal": {"ref": "x", "reason": "decide", "remark": "x"},
              "release": {"reason": "false-positive"}, "delete": {"reason": "confirmed"},
              "escalate": {"reason": "other"}, "redact": {"reason": "personal-part-removed", "found": True},
              "second": {"reason": "checked", "agree": True}, "release-all": {"reason": "false-positive",
              "cases": [at.small]}, "delete-all": {"reason": "confirmed", "cases": [at.small]}}
    tried = 0
    with desk.client("vera.stone") as vera:
        vera_id = person_id(desk, "vera.stone")
        for act, body in bodies.items():
            for name, value in extra.items():
                answer = vera.post(f"/api/cases/{at.small}/{act}", json=body | {name: value})
                assert answer.status_code == 422, (act, name, answer.status_code)
                tried += 1
        answer = vera.post(f"/desk/case/{at.small}/release", data={"reason": "false-positive"} | {
            name: str(value) for name, value in extra.items()})
        assert answer.status_code == 303
        [(by, agreed, seconds, needs)] = desk.world.rows(
            "SELECT r.made_by, r.second_by, r.seconds, r.needs_second FROM ruling r JOIN quarantine_case c "
            "ON c.id = r.case_id WHERE c.number = ? AND r.open_key IS NOT NULL", at.small)
        assert (by, agreed, seconds) == (vera_id, "", 10.0)
        assert needs, "a case of this risk needs a second person, whatever the form says"
        assert desk.state(at.small) == "held"
        assert vera.post(f"/api/cases/{at.small}/undo").status_code == 200
    with desk.client("dana.reid") as dana:
        dana.post(f"/mine/{at.small}/report", data={"code": "other", "text": "wrong", "person": vera_id})
        dana.post("/rules", data={"number": "1", "person": vera_id, "roles": "administrator"})
        assert dana.get("/api/me").json()["roles"] == ["staff"]
    wrote = desk.world.rows("SELECT COUNT(*) FROM case_report WHERE person_id = ?", vera_id)
    assert wrote[0][0] == 0
    return f"{tried + 3} tries: unknown names are refused (JSON) or not looked at (forms)"

def others_ids(desk: DeskProcess) -> str:
    """IDOR: every id of every route, for somebody it does not belong to."""
    at, tried = Targets(desk), 0

    def refused(client: httpx.Client, method: str, path: str, *codes: int, **more: Any) -> None:
        nonlocal tried
        answer = client.request(method, path, **more)
        assert answer.status_code in (codes or (403,)), (method, path, answer.status_code, answer.text[:200])
        assert not any(word in answer.text for word in (CANARY_SIN, "Marchbanks"))
        tried += 1

    numbered = [route for route in ROUTES if "{number}" in route.path]
    with desk.database.session() as session:
        rule = allow.propose(session, Wish("value", "ca_sin", "government_id", digest="0" * 64, division="north"),
                             actor="somebody").id
    with desk.client("milan.faro") as milan, desk.client("vera.stone") as vera, desk.client("dana.reid") as dana:
        for route in numbered:
            for client, number in ((milan, at.north), (vera, at.south)):
                for written in (number, number.lower(), f"%20{number}"):
                    refused(client, route.method, at.path(route.path, written), 403, 404, 422)
            refused(dana, route.method, at.path(route.path, at.south), 403, 404)
            refused(dana, route.method, at.path(route.path, "MW-2026-999999"), 403, 404)
        for route in (r for r in ROUTES if "{rule}" in r.path or "{week}" in r.path):
            for client in (dana, milan):
                refused(client, route.method, at.path(route.path).replace("AL-00001", rule), 403)
        # a place in one case is none in another
        theirs = milan.get(f"/api/cases/{at.south}").json()["parts"]
        ref = next(run["ref"] for part in theirs for block in part["blocks"] for run in block["runs"] if run["ref"])
        asked = {"ref": ref, "reason": "decide", "remark": "x"}
        refused(vera, "POST", f"/api/cases/{at.north}/reveal", 404, json=asked)
        refused(vera, "POST", f"/desk/case/{at.north}/reveal", 404, data=asked)
        # together with one's own, another's
        both = {"cases": [at.south, at.north], "reason": "confirmed"}
        made = milan.post(f"/api/cases/{at.south}/delete-all", json=both).json()
        assert ([one["case"] for one in made["rulings"]], made["refused"]) == ([at.south], {at.north: "other-division"})
        assert milan.post(f"/api/cases/{at.south}/undo").status_code == 200
        refused(milan, "POST", f"/api/cases/{at.south}/delete-all", 409, json=both | {"cases": [at.north]})
        # what another decided
        assert vera.post(f"/api/cases/{at.small}/release", json={"reason": "false-positive"}).status_code == 200
        with desk.client("ines.bauer") as ines:
            refused(ines, "POST", f"/api/cases/{at.small}/undo", 403)
        refused(vera, "POST", f"/api/cases/{at.small}/second", 403, 409, json={"reason": "checked", "agree": True})
        assert vera.post(f"/api/cases/{at.small}/undo").status_code == 200
        # a report of another case, a page of another's queue, somebody's mail, a week there is not
        dana.post(f"/mine/{at.small}/report", data={"code": "other", "text": "wrong"})
        [(report,)] = desk.world.rows("SELECT r.id FROM case_report r JOIN quarantine_case c ON c.id = r.case_id "
                                      "WHERE c.number = ?", at.small)
        for ident in (report, secrets.token_hex(16)):
            refused(vera, "POST", f"/desk/case/{at.north}/reports", 404, 409,
                    data={"report": ident, "code": "explained", "text": "x"}, headers=HTML)
        [(answered,)] = desk.world.rows("SELECT answered_by FROM case_report WHERE id = ?", report)
        assert answered == ""
        with desk.client("aya.tamm") as aya:
            for week in ("0000-W00", "0001-W01", "9999-W53", "2026-W99", "2026-W", "x" * 200, "%00", "2999-W01",
                         "9999-W52", "2001-W05"):
                refused(aya, "GET", f"/week/{week}", 404, 422)
        with desk.client("ines.bauer") as ines:
            onward = ines.get("/api/queue", params={"limit": 1}).json()["next"]
        lines = milan.get("/api/queue", params={"after": onward}).json()["cases"]
        assert {line["division"] for line in lines} <= {"south"}
        assert not milan.get("/api/queue", params={"tagger": "x", "division": "north"}).json()["cases"]
        mine = desk.cases("d.tab <> '' AND d.division = 'north' AND c.summary LIKE '%birth%' AND c.summary NOT LIKE "
                          "'%roster%'")
        assert mine, "no case about the reviewer's own mail"
        for number in mine:
            refused(vera, "GET", f"/desk/case/{number}")
    assert [desk.state(n) for n in (at.north, at.small, at.south)] == ["held"] * 3
    return f"{tried} tries on {len(numbered)} routes with a case number and all with a rule or a week: 403 or 404"

def brute_force(desk: DeskProcess) -> str:
    """Guessed sessions, form tokens, people; numbers asked for one after the other."""
    with desk.client() as guesser:
        codes: list[int] = []
        while 429 not in codes and len(codes) < 200:
            codes.append(guesser.post("/sign-in/demo", data={"person": secrets.token_hex(16)}).status_code)
        assert set(codes) == {403, 429}, set(codes)
        waits = guesser.get("/sign-in")
        assert waits.status_code == 429
        assert int(waits.headers["retry-after"]) >= 1
    with desk.client() as guesser:
        for _ in range(20):
            guesser.cookies.set("mailweir", secrets.token_urlsafe(32))
            assert guesser.get("/api/me").status_code == 401
    kept = desk.world.rows("SELECT token_hash FROM web_session")
    real = desk.session_of("vera.stone")
    assert real not in {row[0] for row in kept}
    assert len(real) >= 43  # 256 bits
    with desk.client("dana.reid") as dana:  # a number there is and one there is not: the same answer
        seen = {dana.get(f"/desk/case/MW-{now().year}-{n:06d}").text.split('"request"')[0] for n in range(1, 12)}
        assert len(seen) == 1
    return (f"{codes.count(403)} sign-ins answered, then 429; 20 guessed sessions: 401; "
            "a number there is and one there is not: the same answer")

def oversized(desk: DeskProcess) -> str:
    """Bodies, heads, fields, depths beyond all measure."""
    at = Targets(desk)

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x=" + b"y" * 100_000 + b"&"

    kind = {"content-type": "application/x-www-form-urlencoded"}
    with desk.client("vera.stone") as vera:
        began, met = time.monotonic(), list[int]()
        for route in (one for one in POSTS if not one.files):
            path = at.path(route.path)
            met.append(_status(lambda: vera.post(path, content=b"x=" + b"y" * 1_500_000, headers=kind)))  # noqa: B023
        assert set(met) <= {413, 0}, set(met)
        assert 413 in met
        refused: Mapping[str, Callable[[], httpx.Response]] = {
            "without a length": lambda: vera.post(f"/desk/case/{at.north}/claim", content=endless(), headers=kind),
            "6,000 fields": lambda: vera.post(f"/desk/case/{at.north}/claim", files={
                f"f{n}": (None, "x") for n in range(6000)}),
            "a file": lambda: vera.post(f"/desk/case/{at.north}/claim", files={"f": ("../x", b"x" * 1000)}),
            "JSON 50,000 deep": lambda: vera.post(f"/api/cases/{at.north}/claim", content=b"[" * 50_000,
                                                  headers={"content-type": "application/json"}),
            "a number of 10,000 digits": lambda: vera.get(f"/api/cases/{at.north}?offset={'9' * 10_000}"),
            "a remark of 100 kB": lambda: vera.post(f"/api/cases/{at.north}/reveal", json={
                "ref": "x", "reason": "decide", "remark": "x" * 100_000}),
            "a header of 500 kB": lambda: vera.get("/desk", headers={"x-long": "y" * 500_000}),
            "500 cases at once": lambda: vera.post(f"/api/cases/{at.north}/delete-all", json={
                "reason": "confirmed", "cases": [at.north] * 500}),
            "an address of 20 kB": lambda: vera.get("/desk/case/" + "a" * 20_000),
        }
        for what, ask in refused.items():
            found = _status(ask)
            assert found == 0 or 400 <= found < 500, (what, found)
        assert vera.get("/desk").status_code == 200
        took = time.monotonic() - began
    return f"{len(POSTS)} bodies of 1.5 MB: 413; {len(refused)} others: 4xx; {took:.1f} s in all, and it answers on"

def _status(ask: Callable[[], httpx.Response]) -> int:
    """The status of the answer, 0 when the service cut the client off, which is a refusal too."""
    try:
        return ask().status_code
    except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
        return 0

def slow_client(desk: DeskProcess) -> str:
    """As many connections as are answered at a time, each with half a head; bodies that never come."""
    host, port = urlsplit(desk.address).hostname or "", urlsplit(desk.address).port or 0
    most = desk.world.settings.web.connections
    with contextlib.ExitStack() as stack:
        dawdlers = [stack.enter_context(contextlib.closing(socket.create_connection((host, port))))
                    for _ in range(most)]
        for sock in dawdlers:
            sock.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        halves = dawdlers[:1]
        began = time.monotonic()
        kept_out = 0
        with httpx.Client(base_url=desk.address, trust_env=False, timeout=60) as client:
            while client.get("/health/live").status_code != 200:
                kept_out += 1
                for sock in halves:
                    with contextlib.suppress(OSError):
                        sock.sendall(b"a")  # a letter now and then does not keep it open
                assert time.monotonic() - began < 4 * HEAD_SECONDS, "the slow keep everybody else out"
                time.sleep(0.5)
        freed = time.monotonic() - began
    with desk.client("vera.stone") as vera, contextlib.closing(socket.create_connection((host, port))) as half:
        heads = (f"POST /sign-out HTTP/1.1\r\nHost: localhost\r\nCookie: mailweir={vera.cookies['mailweir']}\r\n"
                 f"X-Form-Token: {vera.headers['x-form-token']}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                 "Content-Length: 500\r\n\r\nx=")
        half.sendall(heads.encode())
        began = time.monotonic()
        assert vera.get("/desk").status_code == 200, "one slow body keeps others out"
        half.settimeout(BODY_SECONDS * 3)
        answer = half.recv(1000)
        assert b" 408 " in answer.split(b"\r\n")[0], answer[:60]
        waited = time.monotonic() - began
    return (f"{most} half heads: others were refused {kept_out} times, and answered again after {freed:.0f} s; "
            f"half a body: 408 after {waited:.0f} s, others served meanwhile")

ATTACKS: Final[Mapping[str, Callable[[DeskProcess], str]]] = {
    "CSRF": csrf, "session fixation": session_fixation, "XSS": scripts_in_content, "header injection": header_injection,
    "path traversal": path_traversal, "open redirect": open_redirect, "mass assignment": mass_assignment,
    "IDOR": others_ids, "brute force": brute_force, "oversized body": oversized, "slow client": slow_client}
"""Name -> what is tried; in this order."""
