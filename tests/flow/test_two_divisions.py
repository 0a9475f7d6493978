"""Two divisions on one service: what one has does not reach the other, by page, API, export, search or timeline."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from desk_process import HTML, ROOT, DeskProcess, serving_desk
from desk_world import make_desk_world

from store.columns import now
from store.crm_tables import Activity, ActivityLink, Contact, Organisation

pytestmark = pytest.mark.slow

REVIEWERS = {"north": "vera.stone", "south": "milan.faro"}
OTHER = {"north": "south", "south": "north"}
STAFF = {"north": "dana.reid", "south": "marcus.lee"}


def reach_of(division: str) -> dict[str, str]:
    """How to reach a contact of a division."""
    return {"email": f"{division}@client.example.com", "phone": f"604-555-01{len(division)}0",
            "fax": f"604-555-02{division[0]}"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcess]:
    with serving_desk(make_desk_world(tmp_path_factory.mktemp("divisions") / "home")) as made:
        with made.database.session() as session:
            session.add(Organisation(id="o" * 32, name="Client Ltd", name_key="client ltd"))
            session.flush()
            for division in REVIEWERS:
                session.add(Contact(id=division[0] * 32, first_name=division.title(), last_name="Client",
                                    title="Manager", division=division, organisation_id="o" * 32,
                                    **reach_of(division)))
                session.add(Activity(id=f"a{division[0]}" * 16, item_key=division, subject=f"Meeting {division}",
                                     division=division, sent=now(), participants=[
                                         {"role": "from", "name": "N", "email": reach_of(division)["email"]}]))
                session.flush()
                session.add(ActivityLink(activity_id=f"a{division[0]}" * 16, record="contact",
                                         record_id=division[0] * 32, how="address"))
        yield made


def command(desk: DeskProcess, *words: str, actor: str) -> Any:
    """What a command prints for somebody, as JSON; its exit code when it refuses."""
    done = subprocess.run([sys.executable, "-m", "cli", *words, "--home", str(desk.world.home), "--json", "--actor",
                           f"{actor}@example.org"], cwd=ROOT, check=False, capture_output=True, text=True, timeout=300)
    return json.loads(done.stdout) if done.returncode in (0, 1) else done.stderr.partition(":")[0]


@pytest.mark.parametrize("division", REVIEWERS)
def test_a_reviewer_sees_the_cases_of_their_division_on_pages_and_in_the_api(desk: DeskProcess, division: str) -> None:
    mine = set(desk.cases(f"d.tab <> '' AND d.division = '{division}'"))
    theirs = set(desk.cases(f"d.tab <> '' AND d.division = '{OTHER[division]}'"))
    assert mine
    assert theirs
    with desk.client(REVIEWERS[division]) as client:
        for query in ("", f"&division={OTHER[division]}", f"&division={division}", "&kind=government_id",
                      "&reason=personal-information", "&overdue=true"):
            seen: set[str] = set()
            for tab in ("queue", "unreadable", "second", "mine", "escalated"):
                page = client.get(f"/desk?tab={tab}{query}", headers=HTML)
                rows = client.get(f"/api/queue?tab={tab}{query}").json()
                found = {row["number"] for row in rows["cases"]}
                assert not any(number in page.text for number in theirs), (tab, query)
                assert all(number in page.text for number in found)
                assert {row["division"] for row in rows["cases"]} <= {division}
                assert rows["counts"]["queue"] + rows["counts"]["unreadable"] == len(mine), "counts tell of the other"
                seen |= found
            assert seen <= mine
            assert seen == mine or query not in ("", f"&division={division}")
            assert not seen or query != f"&division={OTHER[division]}"
        page = client.get("/desk", headers=HTML).text
        assert STAFF[OTHER[division]] not in page, "the filter names the people of the other division"
        for number in theirs:
            for path in (f"/desk/case/{number}", f"/api/cases/{number}", f"/desk/case/{number}/family",
                         f"/desk/case/{number}/reports"):
                answer = client.get(path)
                assert (answer.status_code, answer.json()["code"]) == (403, "other-division"), path
        some = sorted(mine)[0]
        assert not any(number in client.get(f"/desk/case/{some}/family", headers=HTML).text for number in theirs)


@pytest.mark.parametrize("division", REVIEWERS)
def test_commands_are_cut_to_the_division_as_pages_are(desk: DeskProcess, division: str) -> None:
    who = REVIEWERS[division]
    mine, theirs = (desk.case(f"d.division = '{d}'") for d in (division, OTHER[division]))
    assert {row["case"] for row in command(desk, "queue", "list", actor=who)} == set(
        desk.cases(f"d.tab <> '' AND d.division = '{division}'"))
    assert command(desk, "queue", "show", mine, actor=who)["case"] == mine
    assert command(desk, "queue", "show", theirs, actor=who) == "not-allowed"


def test_items_reports_and_counts_are_those_of_ones_own(desk: DeskProcess) -> None:
    north, south = desk.case("d.division = 'north'"), desk.case("d.division = 'south'")
    for name, mine, theirs in (("dana.reid", north, south), ("marcus.lee", south, north)):
        with desk.client(name) as client:
            page = client.get("/mine", headers=HTML).text
            assert mine in page
            assert theirs not in page
            answer = client.post(f"/mine/{theirs}/report", data={"code": "business", "text": "not mine"})
            assert answer.status_code in (403, 404)
    with desk.client("petra.lund") as owner:  # of the north
        assert "south" not in owner.get("/training", headers=HTML).text


@pytest.mark.parametrize("division", REVIEWERS)
def test_how_to_reach_people_of_the_other_division_is_hidden_in_lists_and_timelines(
        desk: DeskProcess, division: str) -> None:
    who, other = STAFF[division], OTHER[division]
    rows = {row["first_name"].casefold(): row for row in command(desk, "crm", "list", "contacts", actor=who)}
    assert rows[division]["email"] == reach_of(division)["email"]
    assert (rows[other]["email"], rows[other]["phone"], rows[other]["title"]) == (None, None, "Manager")
    for record in (other[0] * 32, f"a{other[0]}" * 16, "o" * 32):
        shown = json.dumps(command(desk, "crm", "show", record, actor=who))
        assert not any(value in shown for value in reach_of(other).values()), record
    timeline = command(desk, "crm", "show", other[0] * 32, actor=who)
    assert [line["subject"] for line in timeline["activities"]] == [f"Meeting {other}"], "events are shared"
    mine = command(desk, "crm", "show", f"a{division[0]}" * 16, actor=who)
    assert mine["participants"][0]["email"] == reach_of(division)["email"]


def test_an_export_leaves_out_how_to_reach_people_of_other_divisions(desk: DeskProcess) -> None:
    form = {"what": "contacts", "form": "csv", "reason": "audit-office", "recipient": "internal"}
    with desk.client("nora.field") as nora:  # an administrator of the north
        answer = nora.post("/export/records", data=form)
    assert answer.status_code == 200
    rows = {row["division"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    assert set(rows) == set(REVIEWERS)
    assert rows["north"]["email"] == reach_of("north")["email"]
    assert [rows["south"][name] for name in reach_of("south")] == [""] * 3
    for name in (*REVIEWERS.values(), *STAFF.values()):
        with desk.client(name) as client:
            assert client.post("/export/records", data=form).status_code == 403
            assert client.post("/export/accounts", data=form | {"what": "cases"}).status_code == 403
