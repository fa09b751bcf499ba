"""Another config without another process: asked for by SIGHUP, by POST /-/reload, or by what the file has become.

A config with mistakes changes nothing but the log, the metrics and /readyz. A good one is taken as a restart with it
would be, at a commit: monitors that mean what they meant go on, the others begin anew (`driftline config diff` says
which). What a restart would silently lose is refused here: that needs somebody who means it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from xxhash import xxh3_64_intdigest

from streamer.config.continuity import changes
from streamer.config.model import Config
from streamer.config.problems import ConfigError
from streamer.service.metrics import Metrics
from streamer.service.order import Say

AT_START = {"listen", "page", "control", "token"}
"""Of the server's settings those that no reload takes."""
SERVER = "server.listen, server.page, server.token and server.control take effect with the next start"


def contents(config: Config) -> tuple[object, ...]:
    """What can be reloaded, with the secrets, and by the hash what its file of references has; bridges are processes of
    their own.
    """
    shown = config.model_dump(exclude={"server": AT_START, "bridges": True})
    return shown, config.secrets(), config.config_hash


class Reload:
    """`wanted`: another config than the one at work, until it is `taken`. `load` raises ConfigError, or ValueError."""

    def __init__(
        self,
        config: Config,
        path: Path | None,
        load: Callable[[Path], Config],
        say: Say,
        note: Callable[[str, str | None], None],
        metrics: Metrics,
        clock: Callable[[], float],
        wall_s: Callable[[], float],
    ) -> None:
        self.config, self.path = config, path
        self.wanted: Config | None = None
        self._load, self._say, self._note, self._metrics = load, say, note, metrics
        self._clock, self._wall_s = clock, wall_s
        self._asked = threading.Event()
        self._seen, self._due_s = self._digest(), self._next_s()
        self._told(True)

    def ask(self, *_: object) -> None:
        """From a signal, or another thread."""
        self._asked.set()

    def after_step(self) -> None:
        """Look at the file if it is time, or somebody asked."""
        if self.path is None or self.wanted is not None:
            return
        asked = self._asked.is_set()
        if not asked and self._clock() < self._due_s:
            return
        self._asked.clear()
        self._due_s = self._next_s()
        seen = self._digest()
        if asked or seen != self._seen:
            self._seen = seen
            self._look(self.path)

    def taken(self) -> Config:
        """The config to go on with."""
        if self.wanted is not None:
            self.config, self.wanted = self.wanted, None
            self._due_s = self._next_s()
        return self.config

    def _look(self, path: Path) -> None:
        try:
            found = self._load(path)
        except (ConfigError, OSError, ValueError) as error:
            self._refuse(error.told if isinstance(error, ConfigError) else str(error))
            return
        lost = [f"{change.path}: {change.sentence}" for change in changes(self.config, found) if change.lost]
        if lost:
            self._refuse(f"this needs a restart, since state would be lost: {'; '.join(lost)}")
            return
        self._told(True)
        same = found.server.model_dump(include=AT_START) == self.config.server.model_dump(include=AT_START)
        self._note("config", None if same else SERVER)
        if contents(found) == contents(self.config):
            self._say("info", "config_unchanged", config=found.config_hash)
            return
        self._say("info", "config_reloading", config=found.config_hash, before=self.config.config_hash)
        self.wanted = found

    def _refuse(self, why: str) -> None:
        """The config at work stays."""
        self._told(False)
        self._note("config", f"the file was not taken, the config of before is at work: {why}")
        self._say("error", "config_refused", why=why, effect="the config of before stays at work")

    def _told(self, good: bool) -> None:
        self._metrics.set("config_last_reload_successful", float(good))
        if good:
            self._metrics.set("config_last_reload_success_timestamp_seconds", self._wall_s())

    def _next_s(self) -> float:
        every_ms = self.config.server.reload_every_ms
        return float("inf") if every_ms is None else self._clock() + every_ms / 1000

    def _digest(self) -> int | None:
        """Of the bytes: a mounted ConfigMap is another file under the same name, whose times mean nothing."""
        try:
            return None if self.path is None else xxh3_64_intdigest(self.path.read_bytes())
        except OSError:
            return None
