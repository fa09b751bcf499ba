"""The metrics page: one rendering a second serves everybody, so that scrapes in a loop cost the worker next to nothing.

Rendering holds the interpreter for a microsecond or ten per sample, which the worker then lacks.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.openmetrics import exposition as openmetrics

FRESH_SECONDS = 1.0
"""How long a rendering serves. Prometheus scrapes every 15 s or so, and gets one of its own."""
OPENMETRICS = "application/openmetrics-text"

Rendered = tuple[bytes, str]


class Rendering:
    """One rendering, under way or done, and the clients that it was given to."""

    def __init__(self, rendering: Awaitable[Rendered]) -> None:
        self.until_s = math.inf
        self.served: set[str] = set()
        self.result = asyncio.create_task(self._finish(rendering))

    async def _finish(self, rendering: Awaitable[Rendered]) -> Rendered:
        try:
            return await rendering
        finally:
            self.until_s = asyncio.get_running_loop().time() + FRESH_SECONDS


class Scrapes:
    """`expose` renders for an Accept header, in a thread of its own: no probe waits for it, or for its locks."""

    def __init__(self, expose: Callable[[str], Rendered]) -> None:
        self._expose = expose
        self._pool = ThreadPoolExecutor(1, "driftline-scrape")
        self._pages: dict[str, Rendering] = {}

    async def get(self, accept: str, client: str) -> Rendered:
        """Body and content type, at most FRESH_SECONDS old. A client that has had them waits until they are older."""
        loop = asyncio.get_running_loop()
        wanted = OPENMETRICS if OPENMETRICS in accept else ""
        page = self._pages.get(wanted)
        if page is not None and page.result.done() and client in page.served:
            await asyncio.sleep(page.until_s - loop.time())
            page = self._pages.get(wanted)
        if page is None or loop.time() >= page.until_s:
            page = self._pages[wanted] = Rendering(loop.run_in_executor(self._pool, self._expose, wanted))
        page.served.add(client)
        return await asyncio.shield(page.result)  # Others wait for it, too.

    def close(self) -> None:
        """What is being rendered is for nobody any more."""
        for page in self._pages.values():
            page.result.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)


def exposed(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Body and content type of a scrape: OpenMetrics when the Accept header names it, else the plain format."""
    # prometheus_client's own negotiation copies parts of the request header into the response; this does not.
    if OPENMETRICS in accept:
        body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return body, openmetrics.CONTENT_TYPE_LATEST
    return exposition.generate_latest(registry), exposition.CONTENT_TYPE_PLAIN_0_0_4
