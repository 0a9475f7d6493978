"""HTTP for clients that dawdle: a connection whose next request does not come whole in time is closed.

Without it somebody who opens as many connections as the service answers at a time, and sends each a letter a minute,
keeps everybody else out. The time for the head of a request starts with the connection and, on one that is kept, with
the first byte of the next head; the body has its own (`addin.edge.BODY_SECONDS`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from capture.logs import fields

log = logging.getLogger("mailweir.web")

HEAD_SECONDS: Final = 15.0
"""How long the head of a request may take."""


class Patience(H11Protocol):
    """The server's own protocol, with a clock for heads."""

    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected."""
        super().connection_made(transport)
        self._start()

    def data_received(self, data: bytes) -> None:
        """Some bytes came: part of a head, or more."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._clock is None:
            self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went."""
        self._stop()
        super().connection_lost(exc)

    def _start(self) -> None:
        self._clock = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _give_up(self) -> None:
        log.info("a client that dawdled was left", extra=fields("web:client:left", seconds=HEAD_SECONDS))
        self.transport.close()
