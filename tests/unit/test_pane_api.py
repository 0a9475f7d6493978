"""The pane's API over a real home: real mailbox, readers, scanner and queue; a real worker in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from canaries import CANARIES, CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from pane_place import Pane, PanePlace, demo_world, pane_place, pane_settings
from world import mail

from capture import marking, trimming, worker
from capture.mailbox.filemarks import categories
from capture.wiring import assembled
from store.crm_tables import Contact, Organisation, OrganisationDomain

DANA = "dana.reid@example.org"
SEEN: list[str] = []
"""Every answer of this module: nothing planted may stand in one."""


def item(name: str, *, message_id: str = "", mailbox: str = DANA, **more: Any) -> dict[str, Any]:
    return {"mailbox": mailbox, "item_id": f"Inbox/{name}.eml",
            "internet_message_id": f"<{message_id or name + '@client.example.com'}>", **more}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanePlace]:
    world = demo_world(tmp_path_factory.mktemp("pane") / "home")

    def put(name: str, body: str, *, user: str = "dana.reid", **more: Any) -> None:
        world.put(user, name, mail(more.pop("subject", "Room for Monday"), body,
                                   message_id=f"{name}@client.example.com", **more), folder="Inbox")

    put("clean", "Hello,\n\nthe room is booked for Monday at nine.\n\nRegards\nRose\n")
    put("clean", "Hello,\n\nthe room is booked for Monday at nine.\n\nRegards\nRose\n", user="priya.nair")
    put("held", f"Her social insurance number is {CANARY_SIN}, born {CANARY_BIRTH}.\n", subject=f"About {CANARY_NAME}")
    put("other", "The invoice of Cedar Works is attached.\n", subject="Offer for Cedar Works Ltd",
        attachments=((f"{CANARY_NAME}.csv", "text/csv", b"item;price\nchair;20\n"),))
    put("later", "The desk is here.\n")
    put("asked", "The desk is here.\n", sender="The desk <desk@elsewhere.example.net>")
    put("files", "Both are here.\n", subject="Two files", attachments=(
        ("prices.csv", "text/csv", b"item;price\nchair;20\n"),
        ("people.csv", "text/csv", f"name;sin;born\n{CANARY_NAME};{CANARY_SIN};{CANARY_BIRTH}\n".encode())))
    put("gone", "Soon away.\n")
    with pane_place(world, pane_settings(world.settings, sign_in={"kind": "demo"})) as made:
        with made.database.session() as session:
            session.add(Organisation(id="o" * 32, name="Cedar Works Ltd", name_key="cedar works ltd"))
            session.flush()
            session.add_all([
                OrganisationDomain(domain="client.example.com", organisation_id="o" * 32),
                Contact(id="c" * 32, first_name="Rose", last_name="Antoine", title="Buyer", division="north",
                        email="rose@client.example.com", email_key="rose@client.example.com",
                        organisation_id="o" * 32),
                *(Contact(id=n * 32, first_name=first, last_name=last, division="north",
                          email="desk@elsewhere.example.net", email_key="desk@elsewhere.example.net")
                  for n, first, last in (("1", "Ada", "Ash"), ("2", "Ben", "Birch"))),
                Contact(id="d" * 32, first_name="Sam", last_name="Southerner", division="south",
                        email="rose@client.example.com", email_key="rose@client.example.com")])
        yield made
    text = "\n".join(SEEN)
    assert not any(canary in text for canary in CANARIES), "a canary is in an answer of the pane"
    assert len(SEEN) > 20


@pytest.fixture
def dana(place: PanePlace) -> Pane:
    return listening(place.signed_in("dana.reid"))


def listening(pane: Pane) -> Pane:
    ask = pane.request

    def request(method: str, path: str, **more: Any) -> httpx.Response:
        answer = ask(method, path, **more)
        SEEN.append(answer.text)
        return answer

    pane.request = request  # type: ignore[method-assign]
    return pane


def work(place: PanePlace) -> None:
    worker.run(place.settings, once=True, watch=False)


def shown(place: PanePlace, name: str, user: str = "dana.reid") -> list[str]:
    """The categories of an item of the inbox."""
    return list(categories((place.settings.mailbox_root / user / "Inbox" / f"{name}.eml").read_bytes()))


def test_an_item_nobody_asked_for_is_ready(dana: Pane, place: PanePlace) -> None:
    found = dana.post("/pane/api/status", item("later")).json()
    assert (found["state"], found["outlook"], found["id"]) == ("ready", "Not tracked", "")
    assert found["can"] == ["track", "check"]
    assert found["trackers"] == []
    assert place.events("pane:item:asked")[-1][1] == {"state": "ready"}


def test_a_press_is_one_capture_and_ends_linked_with_who_when_and_where(dana: Pane, place: PanePlace) -> None:
    first = dana.post("/pane/api/track", item(
        "clean", records=["contact:" + "c" * 32, "organisation:" + "o" * 32])).json()
    assert (first["state"], first["outlook"]) == ("queued", "Checking")
    again = dana.post("/pane/api/track", item("clean")).json()
    assert again["id"] == first["id"]
    work(place)
    done = dana.get(f"/pane/api/items/{first['id']}").json()
    assert (done["state"], done["outlook"], done["can"]) == ("linked", "Tracked", ["untrack", "records"])
    assert [(r["record"], r["name"]) for r in done["records"]] == [
        ("contact", "Rose Antoine"), ("organisation", "Cedar Works Ltd")]
    assert {r["words"] for r in done["records"]} == {"You picked it."}
    assert [(t["who"], t["route"]) for t in done["trackers"]] == [(DANA, "request")]
    assert dana.post("/pane/api/status", item("clean")).json()["state"] == "linked"
    moved = dana.post("/pane/api/status", item("clean") | {"item_id": "Inbox/elsewhere.eml"}).json()
    assert moved["state"] == "linked"  # known by its Message-ID
    priya = listening(place.signed_in("priya.nair"))
    theirs = item("clean", mailbox="priya.nair@example.org")
    assert priya.post("/pane/api/status", theirs).json()["state"] == "ready"  # nothing of others before one asks
    priya.post("/pane/api/track", theirs)
    work(place)
    assert [t["who"] for t in priya.post("/pane/api/status", theirs).json()["trackers"]] == [
        DANA, "priya.nair@example.org"]


def test_untracking_takes_ones_own_tracker_and_says_what_stays(dana: Pane, place: PanePlace) -> None:
    before = dana.post("/pane/api/status", item("clean")).json()
    assert (before["others"], len(before["records"])) == (1, 2)  # Priya tracks it too
    ident = before["id"]
    assert shown(place, "clean") == ["CRM: linked"]
    found = dana.post(f"/pane/api/items/{ident}/untrack").json()
    assert (found["state"], found["can"]) == ("untracked", ["track", "check"])
    assert [t["who"] for t in found["trackers"]] == ["priya.nair@example.org"]
    assert dana.post(f"/pane/api/items/{ident}/untrack").json()["code"] == "bad-state"
    assert place.events("crm:tracker:removed") == [("crm:tracker:removed", {"trackers": 1})]
    assert place.world.rows("SELECT count(*) FROM activity WHERE subject = 'Room for Monday'")[0][0] == 1
    with assembled(place.settings) as tools:  # as the watching does at its next look
        assert marking.pay(tools) == 1
    assert shown(place, "clean") == ["CRM: not tracked"]  # what Outlook shows is what is true
    assert shown(place, "clean", "priya.nair") == ["CRM: linked"]
    again = dana.post("/pane/api/track", item("clean")).json()["id"]
    work(place)
    assert dana.get(f"/pane/api/items/{again}").json()["state"] == "linked"
    assert shown(place, "clean") == ["CRM: linked"]


def test_what_is_asked_is_answered_and_links_are_added_and_taken_off(dana: Pane, place: PanePlace) -> None:
    offered = dana.post("/pane/api/suggestions", item("asked")).json()
    assert [[r["id"][0] for r in one] for one in offered["questions"]] == [["1", "2"]]
    assert offered["sure"] == []
    ident = dana.post("/pane/api/track", item("asked")).json()["id"]
    work(place)
    url = f"/pane/api/items/{ident}/records"
    [[first, second]] = dana.get(url).json()["questions"]
    assert (first["name"], first["words"]) == (
        "Ada Ash", "An address of the mail is that of several records: please choose.")
    assert place.events("crm:records:listed")[-1][1]["count"] == 1
    linked = dana.post(url, {"act": "link", "record": f"contact:{second['id']}"}).json()
    assert [r["name"] for r in linked["records"]] == ["Ben Birch"]
    assert dana.get(url).json() == {"questions": [], "records": []}
    dana.post(url, {"act": "link", "record": "organisation:" + "o" * 32})
    left = dana.post(url, {"act": "unlink", "record": f"contact:{second['id']}"}).json()
    assert [r["name"] for r in left["records"]] == ["Cedar Works Ltd"]
    assert dana.post(url, {"act": "link", "record": "contact:" + "d" * 32}).status_code == 404  # of another division
    assert dana.post(url, {"act": "dismiss", "record": "contact:" + "c" * 32}).status_code == 404
    priya = listening(place.signed_in("priya.nair"))
    assert priya.get(url).status_code == 403
    assert priya.post(url, {"act": "unlink", "record": "event:1"}).status_code == 403


def test_an_attachment_that_is_left_out_is_not_stored_and_the_rest_is_scanned_anew(
        dana: Pane, place: PanePlace) -> None:
    offered = dana.post("/pane/api/suggestions", item("files")).json()["attachments"]
    assert [(a["number"], a["what"]) for a in offered] == [
        (1, "attachment 1 of 2 (csv)"), (2, "attachment 2 of 2 (csv)")]
    checked = [dana.post("/pane/api/check", item("files", leave_out=out)).json() for out in ([], [1], [2], [7])]
    assert [one["verdict"] for one in checked] == ["block", "block", "pass", "review"]  # what would be sent is checked
    assert {line["place"] for line in checked[0]["lines"]} == {"attachment 2 of 2 (csv)"}
    assert [(line["place"], line["code"]) for line in checked[3]["lines"]] == [("item", "attachment-stays")]
    assert [one[1]["verdict"] for one in place.events("pane:item:checked")[-4:]] == [
        one["verdict"] for one in checked]
    stored = [t["what"] for t in dana.post("/pane/api/preview", item("files", leave_out=[2])).json()["things"]]
    assert stored[-1] == "attachment 1 of 1 (csv)"
    none = dana.post("/pane/api/preview", item("files", leave_out=[7]))
    assert (none.status_code, none.json()["code"]) == (409, "attachment-stays")
    held = dana.post("/pane/api/track", item("files")).json()["id"]
    work(place)
    told = dana.get(f"/pane/api/items/{held}").json()
    assert (told["state"], told["without"], told["can"]) == ("blocked", [2], ["track", "check", "report"])
    ident = dana.post("/pane/api/track", item("files", leave_out=[2])).json()["id"]
    work(place)
    assert dana.get(f"/pane/api/items/{ident}").json()["state"] == "linked"
    [(body, files)] = place.world.rows(
        "SELECT a.body, (SELECT count(*) FROM attachment f WHERE f.activity_id = a.id) FROM activity a "
        "WHERE a.subject = 'Two files'")
    assert (trimming.LEFT_OUT in body, files) == (True, 1)
    assert place.events("capture:item:trimmed") == [("capture:item:trimmed", {"attachments": 1})]
    gone = dana.post(f"/pane/api/items/{ident}/untrack").json()
    assert (gone["state"], gone["trackers"]) == ("untracked", [])  # that it was held before is not tracking it
    wrong = dana.post("/pane/api/track", item("held", leave_out=[1])).json()["id"]  # it has none
    work(place)
    told = dana.get(f"/pane/api/items/{wrong}").json()
    assert (told["state"], [line["code"] for line in told["lines"]]) == ("unreadable", ["attachment-stays"])
    assert dana.post("/pane/api/track", item("later", leave_out=[0])).status_code == 422


def test_a_held_item_says_kinds_and_places_and_takes_one_report(dana: Pane, place: PanePlace) -> None:
    kept = place.world.rows("SELECT count(*) FROM blob WHERE content IS NOT NULL")
    checked = dana.post("/pane/api/check", item("held")).json()
    assert checked["verdict"] == "block"
    assert {"government or health number", "date of birth"} <= {line["words"] for line in checked["lines"]}
    assert place.world.rows("SELECT count(*) FROM blob WHERE content IS NOT NULL") == kept
    assert dana.post("/pane/api/status", item("held")).json()["state"] == "ready"  # a look keeps nothing
    ident = dana.post("/pane/api/track", item("held")).json()["id"]
    work(place)
    held = dana.get(f"/pane/api/items/{ident}").json()
    assert (held["state"], held["outlook"]) == ("blocked", "Held for privacy review")
    assert held["case"].startswith("MW-")
    assert {(line["place"], line["code"]) for line in held["lines"]} >= {("body", "government_id")}
    assert held["can"] == ["track", "check", "report"]
    codes = dana.get("/pane/api/codes").json()["codes"]
    refused = dana.post(f"/pane/api/items/{ident}/report", {"code": "other", "text": f"Her SIN is {CANARY_SIN}"})
    assert (refused.status_code, refused.json()["code"]) == (409, "words-refused")
    said = dana.post(f"/pane/api/items/{ident}/report", {"code": sorted(codes)[0], "text": "the line in the text"})
    assert (said.json()["reported"], said.json()["can"]) == ("waiting", ["track", "check"])
    twice = dana.post(f"/pane/api/items/{ident}/report", {"code": sorted(codes)[0]})
    assert (twice.status_code, twice.json()["code"]) == (409, "bad-state")
    assert dana.post(f"/pane/api/items/{ident}/report", {"code": "nonsense"}).status_code == 422


def test_what_would_be_stored_is_told_by_kind_and_amount(dana: Pane) -> None:
    things = dana.post("/pane/api/preview", item("other")).json()["things"]
    assert [t["what"] for t in things] == [
        "subject line", "sender and recipients", "date and time", "text", "attachment 1 of 1 (csv)"]
    assert things[1] == {"what": "sender and recipients", "amount": 2, "unit": "people"}
    assert things[4]["amount"] == 20


def test_suggestions_say_why_and_stop_at_the_division(dana: Pane, place: PanePlace) -> None:
    found = dana.post("/pane/api/suggestions", item("other")).json()
    assert [(r["record"], r["name"], r["why"]) for r in found["sure"]] == [("contact", "Rose Antoine", "address")]
    assert [(r["record"], r["name"], r["why"]) for r in found["records"]] == [
        ("organisation", "Cedar Works Ltd", "name")]
    assert found["beyond"] == 1
    marcus = listening(place.signed_in("marcus.lee"))
    assert marcus.post("/pane/api/suggestions", item("other")).json()["code"] == "not-yours"
    searched = dana.post("/pane/api/search", {"text": "  ROSE "}).json()
    assert [r["name"] for r in searched["records"]] == ["Rose Antoine"]
    assert searched["beyond"] == 0
    assert dana.post("/pane/api/search", {"text": "southerner"}).json() == {"records": [], "beyond": 1}
    assert dana.post("/pane/api/search", {"text": "100%"}).json() == {"records": [], "beyond": 0}
    assert dana.post("/pane/api/search", {"text": "x"}).status_code == 422
    assert dana.post("/pane/api/track", item("other", records=["contact:" + "d" * 32])).status_code == 404
    assert dana.post("/pane/api/track", item("other", records=["contact:" + "e" * 32])).status_code == 404
    assert dana.post("/pane/api/track", item("other", records=["nonsense:1"])).status_code == 422


def test_an_item_is_the_one_that_was_meant_or_none(dana: Pane, place: PanePlace) -> None:
    other = item("later") | {"internet_message_id": "<other@client.example.com>"}  # the id of one, the name of another
    assert dana.post("/pane/api/suggestions", other).json()["attachments"] != []
    nobody = item("later") | {"internet_message_id": "<nobody@client.example.com>"}
    for path in ("check", "preview", "suggestions"):
        answer = dana.post(f"/pane/api/{path}", nobody)
        assert (answer.status_code, answer.json()["code"]) == (404, "item-gone")
    ident = dana.post("/pane/api/track", item("gone")).json()["id"]
    (place.settings.mailbox_root / "dana.reid" / "Inbox" / "gone.eml").unlink()
    work(place)
    gone = dana.get(f"/pane/api/items/{ident}").json()
    assert (gone["state"], gone["can"]) == ("gone", ["track", "check"])


def test_nobody_asks_about_another_mailbox_unless_they_are_its_delegate(dana: Pane, place: PanePlace) -> None:
    theirs = item("clean", mailbox="priya.nair@example.org")
    for path in ("status", "track", "check", "preview", "suggestions"):
        answer = dana.post(f"/pane/api/{path}", theirs)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-yours"), path
    for wrong in ({"mailbox": 7}, {"mailbox": ["x"]}, {}, [], None):
        assert dana.post("/pane/api/track", wrong).status_code in (403, 422)
    priya = place.signed_in("priya.nair")
    ident = priya.post("/pane/api/status", theirs).json()["id"]
    assert ident
    assert dana.get(f"/pane/api/items/{ident}").json()["code"] == "not-yours"
    assert dana.get("/pane/api/items/nothing").status_code == 404
    settings = place.settings.model_copy(update={"pane": place.settings.pane.model_copy(
        update={"delegates": {"priya.nair@example.org": (DANA,)}})})
    with pane_place(place.world, settings) as made:
        answer = made.pane(bearer=made.bearer_of("dana.reid")).post("/pane/api/status", theirs)
        assert answer.json()["state"] == "linked"


def test_a_mailbox_that_is_not_served_and_a_name_that_is_none_are_told_apart(dana: Pane, place: PanePlace) -> None:
    omar = listening(place.signed_in("omar.quist"))
    answer = omar.post("/pane/api/track", item("clean", mailbox="omar.quist@example.org"))
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    nameless = {"mailbox": DANA}
    assert dana.post("/pane/api/track", nameless).json()["code"] == "bad-request"
    assert dana.post("/pane/api/status", nameless).json()["state"] == "ready"
    assert dana.post("/pane/api/track", item("x") | {"item_id": "x" * 5000}).status_code == 422
    assert dana.post("/pane/api/track", item("later") | {"subject": "sent by mistake"}).status_code == 422
