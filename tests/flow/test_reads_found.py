"""An hour of mixed use on a real service: every reading is found again, and nothing personal stands where it may not.

Pages, API and commands, by eight people in a fixed mixed order; what each act shows is written down beside it and
compared with what `mailweir audit show --reads` says afterwards.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx
import pytest
from canaries import CANARIES, CANARY_NAME, CANARY_SIN
from desk_process import HTML, ROOT, DeskProcess, serving_desk
from desk_world import HOSTILE, make_desk_world

from store.columns import now
from store.week_rules import week_before, week_of

pytestmark = pytest.mark.slow

ROUNDS = 3
LISTED, READ, SHOWN = "quarantine:queue:listed", "quarantine:case:read", "quarantine:content:read"
RECORDS, SEARCHED, RECORD = "crm:records:listed", "crm:records:searched", "crm:record:read"
Look = tuple[str, str, str]
"""Who, which event, about which case or week."""


@dataclass
class Hour:
    """What was done: every reading there has to be, and the words that may be on a page because they were revealed."""

    desk: DeskProcess
    looks: list[Look] = field(default_factory=list)
    acts: int = 0
    revealed: int = 0

    def act(self, client: httpx.Client, who: str, method: str, path: str, *looks: tuple[str, str],
            status: int = 200, **more: object) -> httpx.Response:
        answer = client.request(method, path, headers=HTML if not path.startswith("/api") else {}, **more)  # type: ignore[arg-type]
        assert answer.status_code == status, (who, method, path, answer.status_code, answer.text[:300])
        self.acts += 1
        self.looks += [(who, event, subject) for event, subject in looks]
        return answer


def acts(hour: Hour) -> list[tuple[str, Callable[[httpx.Client, str], object]]]:
    """Everything somebody can look at, once: the person, and the act with what it shows."""
    desk = hour.desk
    north = desk.case("d.division = 'north' AND c.summary LIKE '%roster%'")
    small = desk.case("c.summary LIKE '%ca_sin%' AND c.summary NOT LIKE '%roster%' AND d.division = 'north'")
    south, locked = desk.case("d.division = 'south'"), desk.case("c.reason = 'unreadable'")
    week = week_before(week_of(now()))

    def get(path: str, *looks: tuple[str, str], status: int = 200) -> Callable[[httpx.Client, str], object]:
        return lambda client, who: hour.act(client, who, "GET", path, *looks, status=status)

    def reveal(number: str) -> Callable[[httpx.Client, str], object]:
        def show(client: httpx.Client, who: str) -> None:
            parts = hour.act(client, who, "GET", f"/api/cases/{number}", (READ, number)).json()["parts"]
            masks = [run["ref"] for part in parts for block in part["blocks"] for run in block["runs"]
                     if run["counts"]] or [part["ref"] for part in parts if part["blocks"]]
            asked = {"ref": masks[0], "reason": "decide", "remark": "to see it"}
            hour.act(client, who, "POST", f"/api/cases/{number}/reveal", (SHOWN, number), json=asked)
            hour.act(client, who, "POST", f"/desk/case/{number}/reveal", (SHOWN, number), data=asked)
            hour.revealed += 2
        return show

    def export(path: str, what: str, *more: str) -> Callable[[httpx.Client, str], object]:
        form = {"what": what, "form": "csv", "reason": "audit-office", "recipient": "internal"}
        return lambda client, who: hour.act(client, who, "POST", path, *[(e, "") for e in ("export:file:made", *more)],
                                            data=form)

    def made(kind: str, **form: str) -> str:
        """A record somebody of north makes; its page."""
        with desk.client("dana.reid") as dana:
            answer = hour.act(dana, "dana.reid", "POST", f"/crm/new/{kind}", status=303,
                              data={"source": "card", **form})
            return str(answer.headers["location"])

    def search(**form: str) -> Callable[[httpx.Client, str], object]:
        return lambda client, who: hour.act(client, who, "POST", "/crm", (SEARCHED, ""), (RECORDS, ""), data=form)

    contact = made("contact", first_name="Otto", last_name="Invented", email="otto@client.example.com")
    deal = made("opportunity", title="Harbour course")

    def claimed(number: str) -> Callable[[httpx.Client, str], object]:
        def there_and_back(client: httpx.Client, who: str) -> None:
            for change in (True, False):
                hour.act(client, who, "POST", f"/api/cases/{number}/claim", json={"claim": change})
        return there_and_back

    return [
        ("vera.stone", get("/desk", (LISTED, ""))), ("vera.stone", get("/api/queue?tab=unreadable", (LISTED, ""))),
        ("vera.stone", get(f"/desk/case/{north}", (READ, north))), ("vera.stone", reveal(small)),
        ("vera.stone", get(f"/desk/case/{small}/family", (LISTED, ""))), ("vera.stone", claimed(small)),
        ("vera.stone", get(f"/desk/case/{small}/redact", (READ, small))),
        ("vera.stone", get(f"/desk/case/{small}/reports", ("case:report:read", small))),
        ("vera.stone", get(f"/desk/case/{small}/allow", (READ, small))),
        ("vera.stone", get(f"/desk/case/{south}", status=403)), ("vera.stone", get("/readings", status=403)),
        ("milan.faro", get("/desk?division=south&overdue=true", (LISTED, ""))),
        ("milan.faro", get(f"/desk/case/{south}", (READ, south))), ("milan.faro", reveal(south)),
        ("ines.bauer", get("/desk?kind=government_id", (LISTED, ""))),
        ("ines.bauer", get(f"/desk/case/{locked}", (READ, locked))),
        ("ines.bauer", get(f"/api/cases/{north}?offset=1", (READ, north))),
        ("ines.bauer", get("/allow?ended=true", ("policy:allow:listed", ""))),
        ("dana.reid", get("/mine", ("case:mine:listed", ""))), ("dana.reid", get("/desk", status=403)),
        ("dana.reid", get(f"/api/cases/{north}", status=403)),
        ("hugo.marsh", get("/training", ("people:follow-up:counted", ""))),
        ("petra.lund", get("/training", ("people:follow-up:counted", ""))),
        ("aya.tamm", get(f"/week/{week}", ("week:pack:read", week))), ("aya.tamm", get("/week")),
        ("aya.tamm", get(f"/readings?subject={north}", ("audit:readings:read", ""))),
        ("aya.tamm", get(f"/desk/case/{north}", status=403)),
        ("nora.field", get("/export", ("audit:log:read", ""))), ("nora.field", export("/export/accounts", "cases")),
        ("nora.field", export("/export/records", "contacts", "crm:records:exported")),
        ("nora.field", get("/desk", status=403)),
        ("dana.reid", get("/crm", (RECORDS, ""))), ("marcus.lee", get("/crm/list/contact", (RECORDS, ""))),
        ("petra.lund", get("/crm/list/opportunity", (RECORDS, ""))),
        ("dana.reid", get(contact, (RECORD, ""))), ("marcus.lee", get(contact, (RECORD, ""))),
        ("marcus.lee", get(f"{contact}/history", (RECORD, ""))), ("dana.reid", get(f"{contact}/edit", (RECORD, ""))),
        ("petra.lund", get(deal, (RECORD, ""))), ("marcus.lee", get(deal, status=403)),
        ("marcus.lee", search(text="invented")), ("petra.lund", search(text="harbour", kind="opportunity")),
        ("dana.reid", get("/crm/waiting", (RECORDS, ""), (RECORDS, ""))), ("vera.stone", get("/crm", status=403)),
        ("jules.amsel", get("/crm/categories")),
    ]


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hour]:
    with ExitStack() as stack:
        desk = stack.enter_context(serving_desk(make_desk_world(tmp_path_factory.mktemp("hour") / "home")))
        made = Hour(desk)
        todo = acts(made) * ROUNDS
        random.Random(7).shuffle(todo)  # noqa: S311 - an order, no secret
        clients = {who: stack.enter_context(desk.client(who)) for who in sorted({who for who, _ in todo})}
        for who, act in todo:
            act(clients[who], who)
        yield made


def command(desk: DeskProcess, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of a new process on the same home."""
    return subprocess.run([sys.executable, "-m", "cli", *words, "--home", str(desk.world.home)], cwd=ROOT, check=False,
                          capture_output=True, text=True, timeout=300)


def test_every_reading_is_found_by_the_auditor_and_the_chain_verifies(hour: Hour) -> None:
    desk = hour.desk
    case = hour.looks[0][2] or desk.case("d.division = 'north'")
    shown = command(desk, "queue", "show", case, "--actor", "ines.bauer@example.org", "--json")
    assert shown.returncode == 0, shown.stderr
    hour.looks.append(("ines.bauer", READ, case))
    told = command(desk, "audit", "show", "--reads", "--last", "100000", "--actor", "aya.tamm@example.org", "--json")
    assert told.returncode == 0, told.stderr
    who = {ident: address.partition("@")[0] for ident, address in desk.world.rows("SELECT id, address FROM person")}
    rows = [row for row in json.loads(told.stdout) if row["actor"] in who]
    found = Counter((who[row["actor"]], row["action"],
                     row["subject"] if re.match(r"MW-|\d{4}-W", row["subject"]) else "") for row in rows)
    assert found == Counter(hour.looks)
    assert {row["how"] for row in rows} >= {"list", "view", "reveal", "export", "audit"}
    assert all(row["body"]["reason"] == "decide" for row in rows if row["how"] == "reveal")
    one = command(desk, "audit", "show", "--reads", "--case", case, "--person", "vera.stone@example.org", "--json")
    assert len(json.loads(one.stdout)) == sum(w == "vera.stone" and s == case for w, _, s in hour.looks)
    whole = command(desk, "audit", "verify", "--json")
    assert whole.returncode == 0, whole.stdout
    assert json.loads(whole.stdout)["whole"] is True
    for answer in (told, one):
        assert not any(canary in answer.stdout + answer.stderr for canary in CANARIES)


def test_nothing_personal_stands_where_it_may_not(hour: Hour) -> None:
    """In no page, address, title or header before a reveal, and never in the log."""
    words = (*CANARIES, CANARY_SIN.replace(" ", ""), *CANARY_NAME.split(), HOSTILE, "onerror",
             "rose@client.example.com")
    seen = Counter(answer.status for answer in hour.desk.heard)
    assert seen[200] > 80, seen
    revealed = 0
    for answer in hour.desk.heard:
        where = [("address", answer.path), ("head", answer.head)]
        if answer.path.endswith("/reveal"):
            revealed += 1
            assert "no-store" in answer.head
        else:
            where.append(("body", answer.body))
        bad = [(answer.method, answer.path, place, n) for place, text in where for n, word in enumerate(words)
               if word in text]
        assert bad == []
        title = re.search(r"<title>(.*?)</title>", answer.body, re.S)
        assert title is None or re.fullmatch(r"[\w ,:./-]+ - mailweir|mailweir", title[1].strip()), title[1]
    assert revealed == hour.revealed > 0
    log = hour.desk.log.read_text()
    assert "answered" in log
    assert [n for n, word in enumerate(words) if word in log] == []
    assert [path for path, raw in hour.desk.world.stored_bytes().items()
            if any(word.encode() in raw for word in CANARIES)] == []


def test_an_odd_request_gets_nothing_or_is_recorded_as_any_other(hour: Hour) -> None:
    """HEAD, parts of a page, pages a browser says it has, an answer nobody waits for, a case that is an error."""
    desk = hour.desk
    number = desk.case("d.division = 'north' AND c.summary LIKE '%roster%'")

    def looks() -> int:
        return len(desk.events(READ, number))

    with desk.client("vera.stone") as vera:
        before = looks()
        for method in ("HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"):
            answer = vera.request(method, f"/desk/case/{number}")
            assert (answer.status_code, looks()) == (405, before), method
        whole = vera.get(f"/desk/case/{number}", headers=HTML)
        assert not {"etag", "last-modified", "accept-ranges"} & set(whole.headers)
        for head in ({"range": "bytes=0-10"}, {"if-none-match": "*"}, {"if-modified-since": whole.headers["date"]}):
            assert vera.get(f"/desk/case/{number}", headers=HTML | head).status_code == 200, head
        assert looks() == before + 4
        for path in (f"/desk/case/{number}/", f"//desk/case/{number}", f"/desk/case/{number}?offset=x",
                     f"/desk/./case/{number}x", f"/api/cases/{number}%00"):
            answer = vera.get(path, headers=HTML)
            assert answer.status_code in (404, 422), path
        assert looks() == before + 4
        with vera.stream("GET", f"/desk/case/{number}", headers=HTML) as answer:
            assert (answer.status_code, looks()) == (200, before + 5), "recorded before the first byte of the page"
        assert vera.get(f"/desk/case/{number}?offset=9999999", headers=HTML).status_code in (200, 404)
        assert looks() == before + 6
        shown = len(desk.events(SHOWN, number))
        for ref in ("x", "A" * 100, "remarks.."):
            answer = vera.post(f"/api/cases/{number}/reveal", json={"ref": ref, "reason": "decide", "remark": "x"})
            assert answer.status_code in (404, 422), ref
        assert len(desk.events(SHOWN, number)) == shown


def test_an_incident_suspends_tracking_when_page_or_program_say_so(hour: Hour) -> None:
    desk = hour.desk
    number = desk.case("d.division = 'north' AND c.summary LIKE '%roster%'")
    with desk.client("vera.stone") as vera:
        for suspend in (True, False):
            for path, more in ((f"/api/cases/{number}/escalate", {"json": {"reason": "other", "suspend": suspend}}),
                               (f"/desk/case/{number}/escalate", {"data": {"reason": "other", "suspend": "1"}
                                                                 if suspend else {"reason": "other"}})):
                assert vera.post(path, **more).status_code in (200, 303)  # type: ignore[arg-type]
                last = desk.world.rows("SELECT suspends, state FROM ruling ORDER BY made DESC LIMIT 1")
                assert [tuple(row) for row in last] == [(suspend, "waiting")], path
                assert vera.post(f"/api/cases/{number}/undo").status_code == 200
        told = vera.post(f"/api/cases/{number}/delete", json={"reason": "confirmed", "suspend": True})
        assert told.status_code == 422, "an incident only"
