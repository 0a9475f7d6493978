"""The pane over Dataverse: what is asked about an item is shown to the one who tracked it; their answer links it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path

import pytest
from dataverse_server import Org
from dataverse_world import dataverse
from pane_place import PanePlace, demo_world, pane_place, pane_settings

from capture.ports import ItemRef, MailItem, StoredRef, Wanted
from pii_scan.text import Address, Block, Envelope, Extraction, Part
from store.tables import Capture, CaptureState

DESK = "desk@elsewhere.example.net"


@dataclass
class Asked:
    """A pane over an organisation with two contacts that share an address, one item tracked."""

    place: PanePlace
    org: Org
    capture: str
    activity: str
    one: str
    two: str

    @property
    def url(self) -> str:
        return f"/pane/api/items/{self.capture}/records"


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    world = demo_world(tmp_path / "home")
    with pane_place(world, pane_settings(world.settings, sign_in={"kind": "demo"})) as place, dataverse(
            place.database, ("dana.reid@example.org", "marcus.lee@example.org")) as made:
        inner = place.app._app._app.state.tools if hasattr(place.app._app, "_app") else place.app._app.state.tools
        inner._made = replace(inner.get(), crm=made.crm)
        one, two = (made.org.add("contacts", fullname=name, emailaddress1=DESK) for name in ("Ada Ash", "Ben Birch"))
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = DESK, "dana.reid@example.org", "The desk"
        message.set_content("The desk is here.")
        made.crm.link("k1", "dana.reid@example.org", MailItem(ItemRef("dana.reid", "1"), message.as_bytes()), Envelope(
            message_id="k1@x.example", subject="The desk", sender=Address("", DESK),
            recipients=(Address("", "dana.reid@example.org"),)), Extraction((Part("body", "text", (Block("x"),)),)))
        [ref] = made.crm.stored(Wanted())
        assert isinstance(ref, StoredRef)
        with place.database.session() as session:
            row = Capture(mailbox="dana.reid@example.org", source_key="k", outcome="link", activity=ref.id,
                          state=CaptureState.NOTIFIED)
            session.add(row)
            session.flush()
            capture = row.id
        yield Asked(place, made.org, capture, ref.id, one, two)


def test_an_item_in_dataverse_is_asked_about_and_answered_in_the_pane(asked: Asked) -> None:
    dana = asked.place.signed_in("dana.reid")
    status = dana.get(f"/pane/api/items/{asked.capture}").json()
    assert (status["state"], status["can"]) == ("linked", ["untrack-ask", "records"])
    found = dana.get(asked.url).json()
    assert [[(r["record"], r["name"]) for r in one] for one in found["questions"]] == [
        [("contact", "Ada Ash"), ("contact", "Ben Birch")]]
    assert found["questions"][0][0]["words"] == "An address of the mail is that of several records: please choose."
    assert asked.place.events("crm:records:listed")[-1][1]["ids"] == [asked.activity]
    answer = dana.post(asked.url, {"act": "link", "record": f"contact:{asked.two}"})
    assert (answer.status_code, answer.json()["state"]) == (200, "linked")
    assert asked.org.rows("emails")[0]["_regardingobjectid_value"] == asked.two
    assert dana.get(asked.url).json() == {"questions": [], "records": []}
    [(_, body)] = asked.place.events("crm:link:confirmed")
    assert body == {"record": f"contact:{asked.two}", "role": "regarding"}


def test_a_suggestion_is_dismissed_and_what_the_crm_does_itself_is_refused(asked: Asked) -> None:
    dana = asked.place.signed_in("dana.reid")
    assert dana.post(asked.url, {"act": "dismiss", "record": f"contact:{asked.one}"}).status_code == 200
    assert [r["name"] for r in dana.get(asked.url).json()["records"]] == ["Ben Birch"]
    assert dana.post(asked.url, {"act": "dismiss", "record": f"contact:{asked.one}"}).status_code == 404
    assert dana.post(asked.url, {"act": "unlink", "record": f"contact:{asked.two}"}).status_code == 409
    assert dana.post(asked.url, {"act": "link", "record": "contact:" + "0" * 32}).status_code == 404
    assert asked.org.rows("emails")[0].get("_regardingobjectid_value") is None


def test_nobody_else_is_asked_about_it(asked: Asked) -> None:
    marcus = asked.place.signed_in("marcus.lee")
    assert marcus.get(asked.url).status_code == 403
    assert marcus.post(asked.url, {"act": "link", "record": f"contact:{asked.one}"}).status_code == 403
    asked.org.tables["emails"].clear()
    assert asked.place.signed_in("dana.reid").get(asked.url).json() == {"questions": [], "records": []}
