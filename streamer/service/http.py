"""Health, metrics and the page over HTTP: /livez /readyz /metrics /version; what changes something passes the gate.

One event loop in a thread of its own; h11 reads and writes the protocol. Whoever can reach the port must not be able to
hurt the service through it, or to keep a probe from its answer: whatever a client can take is bounded, connections,
bytes, seconds and the processor's time; errors say no more than their status, and no name is ever looked up.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Protocol

import h11

from streamer.service.answers import Answer, header, parts, plain
from streamer.service.gate import Client
from streamer.service.health import Health
from streamer.service.json_logs import get_logger, log
from streamer.service.page import Page
from streamer.service.scrapes import Scrapes

REQUEST_BYTES_MAX = 16 * 1024
"""Request line and headers together."""
HEADERS_MAX = 100
REQUEST_SECONDS = 5.0
"""For the whole request to arrive, and again for the whole answer to be taken, however steadily a client drips."""
SCRAPE_SECONDS = 10.0
"""For the metrics to be rendered: as long as Prometheus waits by default."""
CONNECTIONS_MAX = 256
"""At the same time. Who comes next gets the place of the oldest that keeps us waiting."""
ROUND_SECONDS, ROUND_MAX = 0.025, 32
"""New connections are taken in rounds: a client that asks in a loop gets one answer per round."""
BACKLOG = 512
"""How many may wait for their round: less than half a second's."""
PAUSE_FIRST_S, PAUSE_MAX_S = 0.01, 0.5
"""A request that comes in pieces is looked at again after a pause, which doubles: bytes that drip must cost nothing."""
REST_SECONDS, REST_BYTES_MAX = 1.0, 256 * 1024
"""What a client still sends after its answer is read for so long: a close with bytes unread would lose the answer."""
STREAMS_MAX = 32
"""Pages that are told when something changes; others ask again and again."""
STREAM_SECONDS, STILL_SECONDS = 1.0, 15.0
"""How often at most a page is told, and how often it gets a line that says nothing: so we learn who is gone."""
POST_BYTES_MAX, POSTS_MAX = 4096, 4
"""Of requests that would change something: bytes of each, and how many at the same time."""

ALIASES = {"/-/healthy": "/livez", "/-/ready": "/readyz"}
PATHS = ("/livez", "/readyz", "/metrics", "/version")
RELOAD, LOGIN, ACT = "/-/reload", "/api/login", "/api/act"
STREAM = "/api/changes"
WITHOUT_TOKEN = "a token is asked for: Authorization: Bearer TOKEN, or the page's login\n"
METHODS = "GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT".split()


Reads = Callable[[], Awaitable[bytes | None]]


class Exposes(Protocol):
    """See `streamer.service.metrics.Metrics`."""

    def expose(self, accept: str = "") -> tuple[bytes, str]: ...


class CannotListen(OSError):
    """The address cannot be used; the text says which and why."""


class Server:
    """Serves until `close`. `address` is host:port as bound, so with port 0 the one that was picked."""

    def __init__(
        self,
        listener: socket.socket,
        metrics: Exposes,
        health: Health,
        version: Mapping[str, str],
        page: Page | None = None,
        reload: Callable[[], None] | None = None,
    ) -> None:
        host, port = listener.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.metrics, self.health, self.version = metrics, health, dict(version)
        self._listener, self._page, self._reload = listener, page, reload
        self._scrapes = Scrapes(metrics.expose)
        # Open connections, the oldest first -> whether it is the client that we wait for.
        self._open: dict[asyncio.Task[None], bool] = {}
        self._streams = self._posts = 0
        self._pool = ThreadPoolExecutor(POSTS_MAX, "driftline-act")
        self._closing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: failed(context.get("exception") or context["message"]))
        # A daemon, so that a hard exit never waits for it.
        self._thread = threading.Thread(target=self._run, name="driftline-http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Free the port and close every connection. A second call does nothing."""
        with suppress(RuntimeError):  # The loop is closed already.
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(2)
        self._listener.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:  # Its end cancels every task.
            runner.run(self._serve())

    async def _serve(self) -> None:
        accepting = asyncio.create_task(self._accept())
        await self._closing.wait()
        accepting.cancel()
        with suppress(asyncio.CancelledError):
            await accepting
        self._listener.close()
        self._scrapes.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                await self._round()
            except ConnectionError:
                pass  # It went away before we came to it.
            except Exception as error:  # No descriptor left, for one. Whatever it is, probes must get in.
                failed(error)
                self._drop()
            await asyncio.sleep(ROUND_SECONDS)

    async def _round(self) -> None:
        """Wait for a connection, and take all that wait by then."""
        self._take(*await self._loop.sock_accept(self._listener))
        for _ in range(ROUND_MAX - 1):
            try:
                self._take(*self._listener.accept())
            except BlockingIOError:
                break

    def _take(self, client: socket.socket, address: tuple[str, int]) -> None:
        client.setblocking(False)
        if len(self._open) >= CONNECTIONS_MAX:
            self._drop()
        task = self._loop.create_task(self._connection(client, address[0]))
        self._open[task] = True

        def over(_: asyncio.Task[None]) -> None:
            client.close()
            self._open.pop(task, None)

        task.add_done_callback(over)  # Also of one that was dropped before its first step.

    def _drop(self) -> None:
        """Close the oldest connection that keeps us waiting, or the oldest there is."""
        oldest = next((task for task, slow in self._open.items() if slow), next(iter(self._open), None))
        if oldest is not None:
            del self._open[oldest]
            oldest.cancel()

    async def _connection(self, client: socket.socket, address: str) -> None:
        """One request, one answer. A client that went away, or does not take its answer, is no news."""
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=REQUEST_BYTES_MAX - 1)
        with suppress(OSError):
            answer = await self._request(client, address, parser)
            if answer is None:
                return
            async with asyncio.timeout(REQUEST_SECONDS):
                for part in parts(parser, answer):
                    await self._loop.sock_sendall(client, part)
            if answer.since is not None and not answer.head_only:
                await self._stream(client, parser, answer.since)
            await self._rest(client, parser)

    async def _stream(self, client: socket.socket, parser: h11.Connection, told: str) -> None:
        """Say each time that something has changed, until the client takes it no more: server-sent events."""
        assert self._page is not None
        self._streams += 1
        try:
            still_s = STILL_SECONDS
            while not self._closing.is_set():
                mark = self._page.mark()
                if mark != told or still_s >= STILL_SECONDS:
                    line = f"id: {mark}\ndata: {mark}\n\n" if mark != told else ":\n\n"
                    data = parser.send(h11.Data(data=line.encode()))
                    assert data is not None
                    async with asyncio.timeout(REQUEST_SECONDS):
                        await self._loop.sock_sendall(client, data)
                    told, still_s = mark, 0.0
                await asyncio.sleep(STREAM_SECONDS)
                still_s += STREAM_SECONDS
        except TimeoutError:
            pass  # It takes nothing any more.
        finally:
            self._streams -= 1

    async def _request(self, client: socket.socket, address: str, parser: h11.Connection) -> Answer | None:
        """Read a request and find its answer; None where there was no request."""
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                event = await self._read(client, parser)
        except TimeoutError:
            return plain(408)
        except h11.RemoteProtocolError as error:
            return plain(error.error_status_hint)
        if not isinstance(event, h11.Request):
            return None
        self._open[task_now()] = False
        try:
            answer = await self._answer(event, address, partial(self._body, client, parser))
        except Exception as error:
            failed(error)
            answer = plain(500, "internal error\n")
        self._open[task_now()] = True
        return answer._replace(head_only=event.method == b"HEAD")

    async def _read(self, client: socket.socket, parser: h11.Connection) -> object:
        left, pause_s = REQUEST_BYTES_MAX, PAUSE_FIRST_S
        while (event := parser.next_event()) is h11.NEED_DATA:
            if left < REQUEST_BYTES_MAX:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_MAX_S)
            data = await self._loop.sock_recv(client, left)
            left -= len(data)
            parser.receive_data(data)
        return event

    async def _answer(self, request: h11.Request, address: str, body: Reads) -> Answer:
        method, target = request.method.decode(), request.target.decode()
        path, _, query = target.partition("?")
        path = ALIASES.get(path, path)
        if len(request.headers) > HEADERS_MAX:
            return plain(431)
        if method not in METHODS:
            return plain(501)
        client = asks(request, address)
        sees = self._page is not None and self._page.gate.shown(client)
        if sees and path in self._changes():
            return await self._posted(request, path, client, body)
        if sees and self._page is not None and path.startswith("/api/") and not self._page.gate.knows(client):
            return plain(401, WITHOUT_TOKEN)
        if path == STREAM and sees and method == "GET":
            if self._streams >= STREAMS_MAX:
                return plain(503, "too many pages are told already; ask again and again\n")
            return Answer(200, b"", "text/event-stream", since=header(request, b"last-event-id"))
        served = self._page.serve(path, query) if self._page is not None and sees and path not in PATHS else None
        if path not in PATHS and served is None:
            return plain(404, f"not found; there are {' '.join(PATHS)}\n")
        if method not in ("GET", "HEAD"):
            return plain(405)._replace(allow="GET, HEAD")
        if served is not None:
            same = header(request, b"if-none-match") == served.etag != ""
            return Answer(304 if same else served.status, b"" if same else served.body, served.kind, etag=served.etag)
        if path == "/metrics":
            try:
                async with asyncio.timeout(SCRAPE_SECONDS):
                    return Answer(200, *await self._scrapes.get(header(request, b"accept"), address))
            except TimeoutError:
                return plain(503, "the metrics were not rendered in time\n")
        if path == "/version":
            return Answer(200, json.dumps(self.version).encode() + b"\n", "application/json")
        verbose = any(part.partition("=")[0] == "verbose" for part in query.split("&"))
        well, text = self.health.page(path[1:], verbose)
        return plain(200 if well else 503, text)

    def _changes(self) -> set[str]:
        """The paths that take something here."""
        assert self._page is not None
        known = {RELOAD: self._reload is not None, LOGIN: self._page.gate.token is not None, ACT: self._page.acts}
        return {path for path, there in known.items() if there}

    async def _posted(self, request: h11.Request, path: str, client: Client, body: Reads) -> Answer:
        """What would change something, or log in."""
        assert self._page is not None
        if request.method != b"POST":
            return plain(405)._replace(allow="POST")
        gate = self._page.gate
        if path != LOGIN and not gate.knows(client):
            return plain(401, WITHOUT_TOKEN)
        refused = gate.refusal(client, marked=path != RELOAD)
        if refused is not None:
            return plain(403, f"{refused}\n")
        if path == RELOAD and self._reload is not None:
            self._reload()
            return plain(202, "the file is looked at; what became of it: /readyz?verbose, log and metrics\n")
        try:
            given = await body()
        except TimeoutError:
            return plain(408)
        except h11.RemoteProtocolError as error:
            return plain(error.error_status_hint)
        if given is None:
            return plain(413)
        if path == LOGIN:
            secure = header(request, b"x-forwarded-proto") == "https"
            cookie = gate.login(given.decode(errors="replace").strip(), secure)
            return plain(401, "that is not the token\n") if cookie is None else plain(200)._replace(cookie=cookie)
        if self._posts >= POSTS_MAX:
            return plain(503, "several are under way already; try again\n")
        self._posts += 1
        try:
            done = await self._loop.run_in_executor(self._pool, self._page.act, given)
        finally:
            self._posts -= 1
        return Answer(done.status, done.body, done.kind)

    async def _body(self, socket: socket.socket, parser: h11.Connection) -> bytes | None:
        """What comes behind the headers; None where it is more than anything of ours."""
        body, pause_s = b"", PAUSE_FIRST_S
        async with asyncio.timeout(REQUEST_SECONDS):
            while not isinstance(event := parser.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Data):
                    body += event.data
                elif event is h11.NEED_DATA:
                    parser.receive_data(await self._loop.sock_recv(socket, POST_BYTES_MAX))
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, PAUSE_MAX_S)
                if len(body) > POST_BYTES_MAX:
                    return None
        return body

    async def _rest(self, client: socket.socket, parser: h11.Connection) -> None:
        """Let the answer arrive where the client has more to send than was read."""
        with suppress(h11.RemoteProtocolError):
            if isinstance(parser.next_event(), h11.EndOfMessage) and not parser.trailing_data[0]:
                return
        client.shutdown(socket.SHUT_WR)
        left = REST_BYTES_MAX
        async with asyncio.timeout(REST_SECONDS):
            while left > 0 and (data := await self._loop.sock_recv(client, left)):
                left -= len(data)


def task_now() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


def asks(request: h11.Request, address: str) -> Client:
    names = (b"host", b"authorization", b"cookie", b"origin", b"sec-fetch-site", b"x-driftline")
    return Client(address, *(header(request, name) for name in names))


def failed(error: object) -> None:
    log(get_logger("driftline"), "error", "http_failed", error=error)


def start_server(
    listen: str,
    metrics: Exposes,
    health: Health,
    version: Mapping[str, str],
    page: Page | None = None,
    reload: Callable[[], None] | None = None,
) -> Server:
    """Serve on `listen` (HOST:PORT, [IPV6]:PORT; port 0 picks a free one) from a daemon thread.

    Raises CannotListen, an OSError, when the address is malformed, taken or not ours.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise CannotListen(f"cannot listen on {listen!r}: it is not HOST:PORT")
    try:
        listener = bound(host.removeprefix("[").removesuffix("]"), int(port))
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CannotListen(f"cannot listen on {listen}: {why}") from error
    return Server(listener, metrics, health, version, page, reload)


def bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # Or a restart would have to wait.
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
