"""The pages of users, allow rules, the auditor and exports, as a browser gets them; a small scanner reads the words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from stores import BLOCK, finish, sight
from webclient import running
from webdesk import Desk, Reader
from world import make_world

from addin.app import build_app
from capture.demo.cast import enter_people
from capture.weekly import rules_of
from capture.wiring import opened
from store import allow, people, week
from store.account_tables import WeekPack
from store.allow import Wish
from store.columns import now
from store.desk_tables import DeskCase
from store.week_rules import week_before, week_of


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    base = make_world(tmp_path / "home").settings
    enter_people(base)
    settings = base.model_copy(update={"sign_in": base.sign_in.model_copy(update={"kind": "demo"})})
    app = build_app(settings)
    with opened(settings) as (database, keys), running(app) as loop:
        inner = app._app.state.tools  # type: ignore[attr-defined]
        made = inner.get()
        inner._made = replace(made, scanner=Reader())
        held = finish(database, *sight(database, keys, "dana.reid@example.org", "m1@example.com", BLOCK))
        assert held is not None
        with database.session() as s:
            s.get_one(DeskCase, held.case_id).parties = True  # known, and none of ours
        yield Desk(app, loop, database, held.number)


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("addin.tools.scanner_or_refusal", lambda _settings: Reader())


def test_a_user_reports_and_a_reviewer_answers(desk: Desk) -> None:
    dana, vera = desk.browser("dana.reid"), desk.browser("vera.stone")
    shown = dana.see("/mine").text
    assert "Held for privacy review" in shown
    assert desk.case in shown
    where = f"/mine/{desk.case}/report"
    refused = dana.send(where, code="other", text="it is 130 692 544 only")
    assert (refused.status_code, "government_id" in refused.text, "130 692 544" in refused.text) == (409, True, False)
    assert dana.send(where, code="because", text="").status_code == 422
    assert dana.send(where, code="public", text="<b>front desk</b>").status_code == 303
    assert "&lt;b&gt;front desk" in dana.see("/mine").text
    assert desk.browser("omar.quist").send(where, code="public", text="").status_code == 403
    page = vera.see(f"/desk/case/{desk.case}/reports").text
    assert "&lt;b&gt;front desk" in page
    report = re.search(r'name="report" value="([0-9a-f]{32})"', page)
    assert report
    assert vera.send(f"/desk/case/{desk.case}/reports", report=report[1], code="stays-held",
                     text="two rows are people").status_code == 303
    assert "two rows are people" in dana.see("/mine").text
    assert [e.subject for e in desk.events("case:report:")] == [desk.case] * len(desk.events("case:report:"))


def test_a_rule_is_approved_by_another_and_shown_to_all_who_may_read_policy(desk: Desk) -> None:
    with desk.database.session() as s:
        author = people.by_address(s, "ines.bauer@example.org")
        assert author is not None
        for who in (author.id, "somebody"):
            wish = Wish("value", "ca_sin", "government_id", digest="0" * 64, division="north")
            rule = allow.propose(s, wish, actor=who)
            allow.note_test(s, rule.id, {"looked_at": 3, "would_pass": 1, "confirmed": 0, "cases": [], "gone": 0,
                                         "days": 90}, actor="x")
    ines, vera = desk.browser("ines.bauer"), desk.browser("vera.stone")
    assert ines.send("/allow/AL-00001/approve").status_code == 403, "her own"
    assert vera.send("/allow/AL-00002/approve").status_code == 403, "a reviewer never"
    assert ines.send("/allow/AL-00002/approve").status_code == 303
    page = desk.browser("aya.tamm").see("/allow").text
    assert "in force" in page
    assert "1 of 3 held items" in page
    assert "/approve" not in page, "the auditor only reads"
    assert vera.send("/allow/AL-00002/withdraw", reason="not-needed").status_code == 303
    assert "AL-00002" not in vera.see("/allow").text
    assert "AL-00002" in vera.see("/allow?ended=1").text
    assert vera.send("/allow/AL-09999/withdraw", reason="not-needed").status_code == 404


def test_the_auditor_comments_and_signs_and_the_banner_goes(desk: Desk) -> None:
    name = week_before(week_before(week_of(now(), rules_of(desk.app._app.state.settings).zone)))
    flags = [{"id": "exports-1", "flag": "exports", "person": "p", "detail": "cases", "count": 1, "rows": [3]}]
    pack = {"week": name, "begins": "2026-01-05T08:00:00", "ends": "2026-01-12T08:00:00", "rows": 1,
            "chain": {"whole": True, "rows": 1, "verified": 1}, "readings": {}, "flags": flags, "opt_outs": None,
            "sample": {"seed": "s", "readings": []}}
    with desk.database.session() as s:
        s.add(WeekPack(week=name, begins=now() - timedelta(days=21), ends=now() - timedelta(days=14), pack=pack,
                       digest=hashlib.sha256(week.canonical(pack)).hexdigest()))
    aya, nora = desk.browser("aya.tamm"), desk.browser("nora.field")
    assert "Not signed in time" in aya.see("/").text
    assert "Not signed in time" not in nora.see("/").text
    assert nora.see("/week").status_code == 403
    page = aya.see(f"/week/{name}").text
    digest = re.search(r"<code>([0-9a-f]{64})</code>", page)
    assert digest
    assert aya.send(f"/week/{name}/sign", digest=digest[1]).status_code == 409, "a flag has no comment"
    assert "government_id" in aya.send(f"/week/{name}/comment", flag="exports-1", text="for 130 692 544").text
    assert aya.send(f"/week/{name}/comment", flag="exports-1", text="asked, was needed").status_code == 303
    assert aya.send(f"/week/{name}/sign", digest="0" * 64).status_code == 409
    assert aya.send(f"/week/{name}/sign", digest=digest[1]).status_code == 303
    assert "Not signed in time" not in aya.see("/").text
    assert aya.see("/week/2026-W99").status_code == 404
    assert "week:pack:read" in aya.see("/readings").text
    assert aya.see("/readings?since=yesterday").status_code == 422


def test_an_administrator_exports_after_a_fresh_sign_in_only(desk: Desk) -> None:
    wanted = {"what": "cases", "form": "csv", "reason": "audit-office", "recipient": "internal"}
    stale = desk.browser("nora.field", fresh=False).send("/export/accounts", **wanted)
    assert stale.status_code == 403
    nora = desk.browser("nora.field")
    sent = nora.send("/export/accounts", **wanted)
    assert sent.status_code == 200
    assert re.fullmatch(r'attachment; filename="mailweir-cases-[0-9a-f]{8}\.csv"', sent.headers["content-disposition"])
    assert "no-store" in sent.headers["cache-control"]
    assert desk.case in sent.text
    assert "nora.field@example.org" in sent.text
    for wrong in ({"what": "contacts"}, {"form": "xlsx"}, {"reason": "because"}, {"recipient": "me"}):
        assert nora.send("/export/accounts", **wanted | wrong).status_code == 422
    assert [e.body["what"] for e in desk.events("export:file:made")] == ["cases"]
    assert "cases (csv)" in nora.see("/export").text
    assert desk.browser("vera.stone").send("/export/accounts", **wanted).status_code == 403


def test_managers_see_counts_and_no_names(desk: Desk) -> None:
    page = desk.browser("petra.lund").see("/training")
    assert page.status_code == 200
    assert "dana" not in page.text
    assert desk.browser("dana.reid").see("/training").status_code == 403
