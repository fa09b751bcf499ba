"""One rendering a second serves everybody."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from streamer.service import scrapes as under_test
from streamer.service.scrapes import OPENMETRICS, Rendered, Scrapes
from tests.waiting import PATIENCE_S

T = TypeVar("T")
FRESH_S = 0.2


class Renderer:
    """Numbers its renderings; `slow_s` is how long each takes."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.slow_s = 0.0
        self.may = threading.Event()
        self.may.set()
        self.fails = False
        self.threads: set[int] = set()

    def __call__(self, accept: str) -> Rendered:
        self.asked.append(accept)
        self.threads.add(threading.get_ident())
        time.sleep(self.slow_s)
        assert self.may.wait(PATIENCE_S)
        if self.fails:
            raise RuntimeError("cannot be rendered")
        return str(len(self.asked)).encode(), accept or "plain"


@pytest.fixture
def renderer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Renderer]:
    monkeypatch.setattr(under_test, "FRESH_SECONDS", FRESH_S)
    return Renderer()


def with_scrapes(renderer: Renderer, use: Callable[[Scrapes], Awaitable[T]]) -> T:
    async def run() -> T:
        scrapes = Scrapes(renderer)
        try:
            return await use(scrapes)
        finally:
            scrapes.close()

    return asyncio.run(run())


def test_others_get_the_same_page_at_once(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(scrapes: Scrapes) -> list[Rendered]:
        return [await scrapes.get("", client) for client in "abcd"]

    monkeypatch.setattr(under_test, "FRESH_SECONDS", PATIENCE_S)
    began_s = time.monotonic()
    assert with_scrapes(renderer, use) == [(b"1", "plain")] * 4
    assert time.monotonic() - began_s < PATIENCE_S / 2
    assert renderer.asked == [""]
    assert threading.get_ident() not in renderer.threads


def test_who_had_it_waits_for_the_next(renderer: Renderer) -> None:
    async def use(scrapes: Scrapes) -> list[Rendered]:
        return [await scrapes.get("", "a") for _ in range(3)]

    began_s = time.monotonic()
    assert [body for body, _ in with_scrapes(renderer, use)] == [b"1", b"2", b"3"]
    assert time.monotonic() - began_s > 2 * FRESH_S * 0.9


def test_many_of_one_address_wait_for_one_rendering_and_each_gets_it(renderer: Renderer) -> None:
    async def use(scrapes: Scrapes) -> list[Rendered]:
        await scrapes.get("", "a")
        return await asyncio.gather(*(scrapes.get("", "a") for _ in range(50)))

    assert with_scrapes(renderer, use) == [(b"2", "plain")] * 50


def test_an_old_page_is_rendered_anew(renderer: Renderer) -> None:
    async def use(scrapes: Scrapes) -> Rendered:
        await scrapes.get("", "a")
        await asyncio.sleep(FRESH_S * 1.1)
        return await scrapes.get("", "b")

    assert with_scrapes(renderer, use)[0] == b"2"


def test_a_slow_rendering_is_joined_not_repeated(renderer: Renderer) -> None:
    renderer.may.clear()

    async def use(scrapes: Scrapes) -> list[Rendered]:
        early = [asyncio.create_task(scrapes.get("", client)) for client in "aab"]
        await asyncio.sleep(2 * FRESH_S)
        late = asyncio.create_task(scrapes.get("", "c"))
        await asyncio.sleep(0)  # It has asked by then.
        renderer.may.set()
        return await asyncio.gather(*early, late)

    assert with_scrapes(renderer, use) == [(b"1", "plain")] * 4


def test_who_comes_in_the_very_moment_a_rendering_ends_does_not_wait_for_ever(renderer: Renderer) -> None:
    renderer.slow_s = 0.05

    async def use(scrapes: Scrapes) -> list[Rendered]:
        first = asyncio.create_task(scrapes.get("", "a"))
        await asyncio.sleep(0)
        [page] = scrapes._pages.values()
        while not page.result.done():
            await asyncio.sleep(0)  # One turn of the loop.
        async with asyncio.timeout(PATIENCE_S):
            return [await scrapes.get("", "a"), await first]

    assert [body for body, _ in with_scrapes(renderer, use)] == [b"2", b"1"]


def test_each_format_is_rendered_for_itself_and_the_header_goes_no_further(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "FRESH_SECONDS", PATIENCE_S)

    async def use(scrapes: Scrapes) -> list[Rendered]:
        accepts = ("text/html", f"{OPENMETRICS};version=1.0.0,*/*;q=0.1", "*/*", OPENMETRICS)
        return [await scrapes.get(accept, client) for client, accept in enumerate_clients(accepts)]

    assert [kind for _, kind in with_scrapes(renderer, use)] == ["plain", OPENMETRICS] * 2
    assert renderer.asked == ["", OPENMETRICS]


def enumerate_clients(accepts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    return ((str(at), accept) for at, accept in enumerate(accepts))


def test_a_scrape_that_is_given_up_takes_it_from_nobody(renderer: Renderer) -> None:
    renderer.slow_s = 0.1

    async def use(scrapes: Scrapes) -> Rendered:
        given_up = asyncio.create_task(scrapes.get("", "a"))
        other = asyncio.create_task(scrapes.get("", "b"))
        await asyncio.sleep(0.01)
        given_up.cancel()
        return await other

    assert with_scrapes(renderer, use) == (b"1", "plain")


def test_what_cannot_be_rendered_is_tried_again(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "FRESH_SECONDS", PATIENCE_S)
    renderer.fails = True

    async def use(scrapes: Scrapes) -> Rendered:
        for client in "ab":
            with pytest.raises(RuntimeError, match="cannot be rendered"):
                await scrapes.get("", client)
        renderer.fails = False
        [page] = scrapes._pages.values()
        page.until_s = 0.0
        return await scrapes.get("", "a")

    assert with_scrapes(renderer, use) == (b"2", "plain")
    assert len(renderer.asked) == 2, "also failures come once a second"
