"""A client for the web service in this process, as a browser on the same machine or elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from starlette.types import ASGIApp, Message

from addin.app import build_app
from capture.settings import Settings


def with_web(settings: Settings, **changed: object) -> Settings:
    """The settings with other values in `[web]`."""
    return settings.model_copy(update={"web": settings.web.model_copy(update=changed)})


class Browser:
    """Keeps cookies; follows no redirect by itself. `peer` is the address the service sees."""

    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop, peer: str, url: str) -> None:
        self._loop = loop
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=(peer, 50000), raise_app_exceptions=False), base_url=url)

    @property
    def cookies(self) -> httpx.Cookies:
        """What it was told to keep."""
        return self.client.cookies

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request."""
        return self._loop.run_until_complete(self.client.request(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", path, **more)

    def close(self) -> None:
        """Forget everything."""
        self._loop.run_until_complete(self.client.aclose())


@contextmanager
def running(app: ASGIApp) -> Iterator[asyncio.AbstractEventLoop]:
    """The application started; its loop, for any number of browsers."""
    loop = asyncio.new_event_loop()
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()

    async def start() -> asyncio.Task[None]:
        async def lifespan() -> None:
            await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, inbox.get, outbox.put)

        await inbox.put({"type": "lifespan.startup"})
        task = asyncio.create_task(lifespan())
        told = asyncio.create_task(outbox.get())
        await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            told.cancel()
            task.result()  # raises what the start raised
        assert (await told)["type"] == "lifespan.startup.complete"
        return task

    async def stop(task: asyncio.Task[None]) -> None:
        await inbox.put({"type": "lifespan.shutdown"})
        await task
        await loop.shutdown_default_executor()

    try:
        task = loop.run_until_complete(start())
        try:
            yield loop
        finally:
            loop.run_until_complete(stop(task))
    finally:
        loop.close()


@contextmanager
def browsing(settings: Settings, *, peer: str = "127.0.0.1", url: str = "http://localhost") -> Iterator[Browser]:
    """One browser on a service of its own."""
    app = build_app(settings)
    with running(app) as loop:
        browser = Browser(app, loop, peer, url)
        try:
            yield browser
        finally:
            browser.close()
