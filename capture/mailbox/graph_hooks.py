"""Change notifications of Graph: subscribing, and taking them in. They only wake the watching.

`received` is what the web endpoint does with a request (`addin/hooks.py` has the address); it knows no web
framework. `Subscriptions` makes and renews; it runs in the worker. Nothing of a notification's body is trusted,
kept or logged beyond "this mailbox may have changed"; subscriptions are basic, so no content ever comes in one.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, Final

from capture.errors import CaptureError, ItemGone, Parked, TryLater
from capture.mailbox.graph_http import GraphHttp
from capture.mailbox.graph_ids import quoted
from capture.mailbox.graph_parse import identifier, moment, notifications
from capture.ports import Check
from store import subscriptions
from store.database import Database
from store.subscription_tables import Subscription

log = logging.getLogger("mailweir.hooks")

LIFE: Final = timedelta(minutes=4200)
"""Under the shortest maximum Microsoft's pages have named for messages and events (4,230; now 10,080 minutes)."""
PATH: Final = "/hooks/graph"
LIFECYCLE_PATH: Final = "/hooks/graph/lifecycle"
MAX_BODY: Final = 1_000_000
MAX_TOKEN: Final = 2_000
MAX_NOTIFICATIONS: Final = 1_000
CARE_SECONDS: Final = 60.0
RESOURCES: Final = {"messages": "created,updated", "events": "created,updated"}
"""What is subscribed to below a mailbox, and to which changes. For tasks there is only polling."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What the endpoint answers: an HTTP status and a plain text."""

    status: int
    text: str = ""


def received(database: Database, body: bytes, *, validation_token: str | None = None) -> Answer:
    """Take a request in.

    With a validation token it is the server asking whether we are there: the token goes back as plain text. Else
    each notification whose subscription and secret are ours wakes its mailbox, and the answer is 202 only when all
    wake-ups are on disk. A notification that is not ours is passed over in silence. 400: no notifications at all;
    413: too long. An error of the database goes to the caller, whose 5xx makes the server repeat.
    """
    if validation_token is not None:
        return Answer(200, validation_token) if len(validation_token) <= MAX_TOKEN else Answer(400)
    if len(body) > MAX_BODY:
        return Answer(413)
    try:
        found = list(notifications(json.loads(body)))[:MAX_NOTIFICATIONS]
    except (ValueError, RecursionError):
        return Answer(400)
    strange = 0
    with database.session() as session:
        for one in dict.fromkeys(found):
            strange += not subscriptions.notified(session, one.subscription, one.secret, one.event)
    if strange:
        log.warning("%d of %d notifications named no subscription of ours, or the wrong secret", strange, len(found))
    return Answer(202)


class Subscriptions:
    """Keeps the subscriptions of the watched mailboxes alive. `public` is our https address without a slash."""

    def __init__(self, http: GraphHttp, database: Database, public: str,
                 now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._http, self._database, self._public, self._now = http, database, public.rstrip("/"), now

    def care(self, mailboxes: Sequence[str], resources: Sequence[str]) -> list[str]:
        """Make what is missing, renew what is past half of its life, end what is not wanted. Returns the mailboxes
        of the subscriptions that were made or renewed.

        Errors are logged with the subscription due again later: polling goes on meanwhile.
        """
        with self._database.session() as session:
            for mailbox in mailboxes:
                for resource in resources:
                    subscriptions.wish(session, mailbox, resource)
            ended = subscriptions.others(session, list(mailboxes))
        for row in ended:
            self._end(row)
        touched: list[str] = []
        while True:
            with self._database.session() as session:
                row_due = subscriptions.claim(session)
            if row_due is None:
                return touched
            if self._renew(row_due):
                touched.append(row_due.mailbox)

    def wakeups(self, stop: Event, mailboxes: Callable[[], Sequence[str]], resources: Sequence[str]) -> Iterator[str]:
        """Look after the subscriptions until `stop`. Yields a mailbox whose subscription was made or renewed, since
        something may have changed while nobody told us; what notifications wake, the watching reads from the database.
        """
        while not stop.is_set():
            yield from self.care(mailboxes(), resources)
            stop.wait(CARE_SECONDS)

    def check(self, mailbox: str) -> Check:
        """Whether the notifications of a mailbox are on."""
        with self._database.reading() as session:
            rows = subscriptions.of_mailbox(session, mailbox)
        alive = sum(1 for row in rows if row.remote and row.expires and row.expires > self._now())
        return Check("graph-notifications", bool(alive), f"{alive} subscriptions are alive.",
                     "" if alive else "Let a worker run for a minute, and see that Microsoft reaches graph.webhook_url "
                                      "by https. Without notifications polling finds every tag.")

    def _renew(self, row: Subscription) -> bool:
        try:
            if row.remote and row.expires and row.expires > self._now():
                try:
                    self._prolong(row)
                    return True
                except (ItemGone, Parked):  # unknown by any of its codes; without the rights, making fails too
                    log.info("a subscription is not known any more and is made anew")
            self._make(row)
            return True
        except CaptureError as error:
            wait = max(60.0, error.wait) if isinstance(error, TryLater) else 3600.0
            log.warning("a subscription could not be made or renewed (%s); polling goes on", error.facts or error.code)
            with self._database.session() as session:
                subscriptions.failed(session, row, wait=wait, lost=isinstance(error, ItemGone))
            return False

    def _prolong(self, row: Subscription) -> None:
        """A new date of expiry also answers `reauthorizationRequired`."""
        expires = self._now() + LIFE
        body = self._http.send(row.mailbox, "PATCH", f"/subscriptions/{quoted(row.remote)}",
                               json_body={"expirationDateTime": _iso(expires)}).body
        self._made(row, body, expires, "")

    def _make(self, row: Subscription) -> None:
        expires, secret = self._now() + LIFE, secrets.token_urlsafe(48)
        body = self._http.send(row.mailbox, "POST", "/subscriptions", json_body={
            "changeType": RESOURCES[row.resource],
            "resource": f"users/{row.mailbox}/{row.resource}",
            "notificationUrl": f"{self._public}{PATH}",
            "lifecycleNotificationUrl": f"{self._public}{LIFECYCLE_PATH}",
            "expirationDateTime": _iso(expires),
            "clientState": secret,
            "latestSupportedTlsVersion": "v1_2",
        }).body
        self._made(row, body, expires, secret)

    def _made(self, row: Subscription, body: Any, expires: datetime, secret: str) -> None:
        remote = identifier(body) if isinstance(body, dict) else row.remote
        granted = moment(body.get("expirationDateTime")) if isinstance(body, dict) else None
        with self._database.session() as session:
            subscriptions.made(session, row, remote=remote, secret=secret, expires=min(granted or expires, expires))

    def _end(self, row: Subscription) -> None:
        """End a subscription nobody wants; whether the server hears it or not, it runs out."""
        try:
            if row.remote:
                self._http.send(row.mailbox, "DELETE", f"/subscriptions/{quoted(row.remote)}")
        except CaptureError as error:
            log.info("a subscription was not ended and runs out by itself (%s)", error.code)
        with self._database.session() as session:
            subscriptions.drop(session, row)


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
