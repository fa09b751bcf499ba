"""The page for people, at `/`: what the service publishes, read back, as tables and charts. `acts.py` has its buttons.

A thread of its own reads the topics and keeps the board; answers are made in the thread that asks, and an answer that
did not change is not sent again. By default only whoever is on the same machine sees it (also by way of `kubectl
port-forward` or an SSH tunnel): it names models and topics.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack, closing
from importlib import resources
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import parse_qs

import orjson
from xxhash import xxh3_64_hexdigest

from schemas.events.batch import Record
from schemas.events.convert import time_ms
from streamer import __version__
from streamer.config.effective import as_yaml, effective
from streamer.config.librdkafka_settings import HIDDEN
from streamer.config.model import Config
from streamer.offline.colours import COLOURS
from streamer.port import LogDown, Partition
from streamer.series.calendar import NEVER, Away
from streamer.service.acts import Acts, acts_of
from streamer.service.board import STATES, Board
from streamer.service.config_view import budget, in_school, references
from streamer.service.gate import Gate
from streamer.service.health import Health
from streamer.service.verdicts import Verdicts, verdicts_of

FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/charts.js": ("charts.js", "text/javascript; charset=utf-8"),
    "/acts.js": ("acts.js", "text/javascript; charset=utf-8"),
}
POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAST = {
    "heartbeats": (2 * 3_600_000, 20_000),
    "alerts": (14 * 86_400_000, 20_000),
    "incidents": (14 * 86_400_000, 20_000),
    "windows": (86_400_000, 50_000),
    "review": (14 * 86_400_000, 5_000),
    "verdicts": (14 * 86_400_000, 5_000),
}
"""How many ms back a topic of each role is read at the start, and how many records at most: to read one takes 20 us of
the interpreter, which the service then lacks.
"""
FILE = ("config", "budget", "references")
"""What is long, and for the view of the config alone."""
ROW = ("model", "state", "incidents", "alerts", "per_minute", "lag_ms", "minutes", "newest_event", "series", "tiers")
"""What a list of models has of each."""
ROWS = 60
"""Of models that are listed at once, the worst first: more take longer to draw than to find."""
AGAIN_S, FRESH_S = 10.0, 1.0
"""Until topics that could not be read are tried again; and for how long an answer serves all who ask the same."""
STAND_S, LOOKED_S = 15.0, 60.0
"""How often the broker is asked how the groups stand, while somebody has looked at the page lately."""
HEARTBEAT_MS = 60_000
STILL_S = 120.0
"""Without a turn of the thread that reads, all of whose waits are shorter, the page says that it stands still."""
JSON = "application/json"
NAME = "driftline-page"


class Served(NamedTuple):
    status: int
    body: bytes
    kind: str
    etag: str = ""


T = TypeVar("T")


class Tail(Protocol):
    """See `streamer.kafka.tail.Tail`."""

    missing: dict[str, str]  # by topic why nothing of it is read
    skipped: int  # alerts and incidents that were over before they were read

    def records(self) -> Iterable[tuple[Partition, Record]]: ...

    def close(self) -> None: ...


class Stands(Protocol):
    """See `streamer.kafka.standing.Standing`."""

    def ask(self, heard: Collection[str]) -> Mapping[Partition, Any]: ...

    def letters(self) -> Mapping[str, Any]: ...

    def close(self) -> None: ...


class Page:
    """`tail`: makes one, given the time in ms; `shown`: what else there is to say, by name of its view; `standing`:
    makes what the broker is asked by; `unread`: what is read by nobody, as the service's own watch knows it.
    """

    def __init__(
        self,
        tail: Callable[[int], Tail],
        shown: Callable[[], dict[str, Any]],
        gate: Gate,
        clock: Callable[[], float] = time.time,
        acts: Acts | None = None,
        away: Callable[[], Away] = lambda: NEVER,
        verdicts: Callable[[], Verdicts | None] = lambda: None,
        standing: Callable[[], Stands] | None = None,
        unread: Callable[[], frozenset[Partition]] = frozenset,
        failed: Callable[[str, BaseException], None] = lambda name, error: None,
    ) -> None:
        self._verdicts, self._standing, self._unread, self._failed = verdicts, standing, unread, failed
        self._looked_s, self._due_s = -LOOKED_S, 0.0
        self._tail, self._shown, self._clock = tail, shown, clock
        self.gate, self.acts, self._away = gate, acts, away
        self._begin()
        self._lock, self._closing, self._again = threading.Lock(), threading.Event(), threading.Event()
        self._waits: str | None = "reading what was published"
        self._turned_s = self._clock()
        self._made: dict[tuple[str, str], tuple[Served, float]] = {}
        if gate.who != "off":
            threading.Thread(target=self._read, name=NAME, daemon=True).start()

    def close(self) -> None:
        self._closing.set()

    def begin_again(self) -> None:
        """Other topics may be shown now."""
        self._again.set()

    def _begin(self) -> None:
        """Nothing is known yet."""
        self.board, self._began_ms = Board(), int(1000 * self._clock())

    def mark(self) -> str:
        """What stands for all that is shown now: another one once anything of it has changed."""
        return f"{self._began_ms}-{self.board.version}"

    def act(self, body: bytes) -> Served:
        """Take what somebody said on the page; answers once the broker has it."""
        assert self.acts is not None
        return Served(*self.acts.act(body, self.board, int(1000 * self._clock())), JSON)

    def serve(self, path: str, query: str) -> Served | None:
        """The answer for a path; None where there is nothing."""
        if path in FILES:
            return file_of(path)
        if path not in VIEWS:
            return None
        known, made_s = self._made.get((path, query), (None, 0.0))
        if known is None or self._clock() - made_s > FRESH_S:
            known = self._view(path, query)
            self._made = {key: one for key, one in self._made.items() if self._clock() - one[1] <= FRESH_S}
            self._made[path, query] = known, self._clock()
        return known

    def _view(self, path: str, query: str) -> Served:
        asked = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        self._looked_s = self._clock()
        with self._lock:
            found = VIEWS[path](self, asked)
        if found is None:
            return Served(404, b'{"error": "nothing of that name is known here"}\n', JSON)
        body = orjson.dumps(found)
        return Served(200, body, JSON, hash_of(body))

    # Views

    def waits(self) -> str | None:
        """What the page lacks, in words."""
        still_s = self._clock() - self._turned_s
        return self._waits if still_s < STILL_S else f"nothing new is read since {still_s:.0f} s: its thread is stuck"

    def overview(self, asked: dict[str, str]) -> dict[str, Any]:
        """What all views have in common, and what the one that is asked for needs beyond that: `model`, or `view`."""
        whole, model, view = self.board.overview(), asked.get("model"), asked.get("view")
        rows, found = listed(whole["models"], asked)
        alerts = whole["alerts"] if view == "alerts" else of_model(whole["alerts"], model)
        shown = {name: text for name, text in self._shown().items() if name not in FILE or view == "config"}
        now_ms = int(1000 * self._clock())
        interval_ms = shown.get("heartbeat_ms", HEARTBEAT_MS)
        pipeline = self.board.pipeline.shown(now_ms, interval_ms, self._began_ms, self._unread())
        if view != "pipeline":
            pipeline = {"wrong": pipeline["wrong"]}
        here = {"now_ms": now_ms, "waits": self.waits(), "pipeline": pipeline}
        count = {"models": len(whole["models"]), "found": found}
        school = {"school": in_school(whole["models"])} if view == "config" else {}
        return {**whole, "models": rows, "count": count, "alerts": alerts, **here, **school, **shown}

    def series(self, asked: dict[str, str]) -> dict[str, Any]:
        """What its detectors saw, and when in that time the calendar had it out of the ordinary, in ms."""
        model = asked.get("model", "")
        lines = self.board.series_of(model)
        ends = [point[0] for line in lines for point in (line["points"][0], line["points"][-1])]
        away = self._away().spans(model, ms_of(min(ends)), ms_of(max(ends))) if ends else []
        beside = {"recent": self.board.past.recent_of(model), "marks": self.board.past.marks_of(model)}
        return {"lines": lines, "away": away, "hours": self.board.past.hours_of(model), **beside}

    def performance(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        return self.board.performance_of(asked.get("model", ""))

    def review(self, asked: dict[str, str]) -> dict[str, Any]:
        return {
            "waiting": self.board.waiting_items(int(1000 * self._clock())),
            "answered": self.board.answered_items(),
        }

    def alert(self, asked: dict[str, str]) -> dict[str, Any] | None:
        return self.board.alert_with_lines(asked.get("id", ""))

    def incident(self, asked: dict[str, str]) -> dict[str, Any] | None:
        return self.board.incident_with_marks(asked.get("id", ""))

    # The thread

    def _read(self) -> None:
        while not self._closing.is_set():
            self._again.clear()
            try:
                self._read_on()
            except LogDown as down:
                self._waits = str(down)
            except Exception as error:  # It is a view: what it cannot show stops nothing that is watched.
                self._waits = f"what was published cannot be shown: {type(error).__name__}; it is read once more"
                self._failed(NAME, error)
            if not self._again.is_set():
                self._closing.wait(AGAIN_S)

    def _read_on(self) -> None:
        """From the beginning, until other topics are to be shown."""
        self._turned_s = self._clock()
        verdicts = self._verdicts()
        with ExitStack() as stack:
            tail = stack.enter_context(closing(self._tail(int(1000 * self._clock()))))
            stands = None if self._standing is None else stack.enter_context(closing(self._standing()))
            with self._lock:
                self._begin()
            while not self._closing.is_set() and not self._again.is_set():
                self._turned_s = self._clock()
                records = list(tail.records())
                self._waits = "; ".join(f"{topic}: {why}" for topic, why in tail.missing.items()) or None
                with self._lock:
                    self._take(records, verdicts)
                    self.board.skip(tail.skipped - self.board.skipped, int(1000 * self._clock()))
                if stands is not None:
                    self._stand(stands)

    def _stand(self, stands: Stands) -> None:
        """Ask how the groups stand, where somebody may look at it."""
        now_s, pipeline = self._clock(), self.board.pipeline
        if now_s - self._looked_s > LOOKED_S or now_s < self._due_s:
            return
        self._due_s, found, why, letters = now_s + STAND_S, dict[Partition, Any](), None, dict[str, Any]()
        try:
            found = dict(stands.ask({topic for topic, _ in pipeline.places}))
            letters = dict(stands.letters())
        except LogDown as down:
            why = str(down)
        with self._lock:
            pipeline.stands, pipeline.unknown, pipeline.letters = found, why, letters
            self.board.version += 1

    def _take(self, records: Iterable[tuple[Partition, Record]], verdicts: Verdicts | None) -> None:
        said: dict[Partition, list[Record]] = {}
        for partition, record in records:
            if verdicts is not None and partition[0] == verdicts.topic:
                said.setdefault(partition, []).append(record)
            else:
                self.board.take(record.value, record.key, record.time_ms)
        if verdicts is not None:
            for own in said.values():
                self.board.heard(verdicts.read(own))


def listed(models: list[dict[str, Any]], asked: dict[str, str]) -> tuple[list[dict[str, Any]], int]:
    """One model as a whole; or of those whose name has the text `find` the worst, all of them with `all`, and how many
    there are; none where the view has none.
    """
    if "model" in asked:
        return [one for one in models if one["model"] == asked["model"]], 1
    if asked.get("view"):
        return [], 0
    found = [one for one in models if asked.get("find", "").lower() in one["model"].lower()]
    found.sort(key=lambda one: STATES.index(one["state"]))
    shown = found if "all" in asked else found[:ROWS]
    return [{name: one[name] for name in ROW} for one in shown], len(found)


def of_model(alerts: list[dict[str, Any]], model: str | None) -> list[dict[str, Any]]:
    return [one for one in alerts if one["labels"].get("model") == model] if model is not None else []


def ms_of(text: str) -> int:
    return time_ms(text, "/time")


def page_of(
    current: Callable[[], Config],
    health: Health,
    logger: Any,
    failed: Callable[[str, BaseException], None],
    unread: Callable[[], frozenset[Partition]] = frozenset,
) -> Page:
    """The page of a service, with the config that is at work."""
    acts = acts_of(current)

    def told(config: Config) -> dict[str, Any]:
        return {
            "config": as_yaml(effective(config)),
            "budget": budget(config),
            "references": references(config),
            "config_hash": config.config_hash,
            "service": __version__,
            "windows": config.topics.windows is not None,
            "asks": config.review is not None,
            "control": config.control is not None,
            "acts": acts.kinds(),
            "learn": config.false_alarms.learn,
            "heartbeat_ms": config.heartbeat.interval_ms,
        }

    def tail(now_ms: int) -> Tail:
        from streamer.kafka.rights import shown
        from streamer.kafka.tail import Span, Tail

        config = current()
        # Of an alert, or an incident, the newest record says all; what else is there has keys of its own.
        spans = {name: Span(*PAST[role], name == config.topics.alerts) for name, role in shown(config).items()}
        if config.verdicts is not None:
            spans[config.verdicts.topic] = Span(*PAST["verdicts"])
        return Tail(config, logger, spans, now_ms)

    def standing() -> Stands:
        from streamer.kafka.standing import Standing

        return Standing(current())

    about, away = once(current, told), once(current, lambda config: Away(config.calendar))

    def beside() -> dict[str, Any]:
        waits = [f"{check}: {why}" for check, why in health.ready().items() if why is not None]
        return {**about(), "notes": waits + [f"{name}: {words}" for name, words in health.notes().items()]}

    server = current().server
    who = "off" if server.token == HIDDEN else server.page  # As `config show` prints it: everybody knows that one.
    taken = acts if server.control else None
    gate, asked = Gate(who, server.token), lambda: verdicts_of(current())
    return Page(
        tail, beside, gate, acts=taken, away=away, verdicts=asked, standing=standing, unread=unread, failed=failed
    )


def once(current: Callable[[], Config], make: Callable[[Config], T]) -> Callable[[], T]:
    """What is made of the config that is at work: when somebody looks, for it takes its time, and once for a config."""
    known = list[tuple[Config, T]]()

    def made() -> T:
        config = current()
        if not known or known[0][0] is not config:
            known[:] = [(config, make(config))]
        return known[0][1]

    return made


@functools.cache
def file_of(path: str) -> Served:
    name, kind = FILES[path]
    body = resources.files("streamer.service").joinpath("static", name).read_bytes()
    if name.endswith(".css"):
        body = COLOURS.encode() + body
    return Served(200, body, kind, hash_of(body))


def hash_of(body: bytes) -> str:
    return f'"{xxh3_64_hexdigest(body)}"'


VIEWS: dict[str, Callable[[Page, dict[str, str]], Any]] = {
    "/api/overview": Page.overview,
    "/api/series": Page.series,
    "/api/performance": Page.performance,
    "/api/review": Page.review,
    "/api/alert": Page.alert,
    "/api/incident": Page.incident,
}
