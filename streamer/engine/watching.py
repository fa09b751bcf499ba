"""What of a partition is watched: its tables of series, the monitors on them, and what they find in events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from detectors.reference import Judged
from schemas.events.batch import Batch
from streamer.config import model as cfg
from streamer.engine.engines import Engine
from streamer.engine.readings import Readings
from streamer.engine.references import seed_again
from streamer.engine.sharing import Sharing
from streamer.monitors.base import Monitor
from streamer.monitors.edges import step_table
from streamer.monitors.finding import Finding
from streamer.monitors.registry import make_monitors
from streamer.series.out_of_distribution import OutOfDistribution
from streamer.series.sources import Source, make_source, needs, table_id_of, table_ids
from streamer.series.table import SeriesTable, TableId
from streamer.signals.columns import F64, I64, Bool, Column, Groups
from streamer.signals.grammar import parse_signal
from streamer.signals.roles import Population, populations

IN_ORDER = attrgetter("event", "monitor", "row")


class Watching:
    """All tables and monitors of one partition."""

    def __init__(self, config: cfg.Config, engine: Engine) -> None:
        self.config, self.engine = config, engine
        self.checks = {parse_signal(f"invalid.{name}").path: rule.compiled() for name, rule in config.checks.items()}
        self.tables, self.sources = dict[TableId, SeriesTable](), dict[TableId, Source]()
        wanted = table_ids(config)
        self.rows_max = max(config.limits.series // max(len(wanted), 1), 1)
        sampled = {table_id_of(config, m) for m in config.effective_monitors().values() if m.detect.sampled}
        for table_id in wanted:
            self._add_table(table_id, table_id in sampled)
        self.monitors: dict[str, Monitor] = make_monitors(config, engine.monitors, self._made_of)
        self.readings = Readings(config, wanted, self.rows_max)
        self.by_order = list(self.monitors.values())
        self.of_table = {i: [m for m in self.by_order if m.table is t] for i, t in self.tables.items()}
        self.sharing = Sharing(self.of_table.values())
        needed = {other for table_id in self.sources for other in needs(table_id)}
        own = {i: monitors for i, monitors in self.of_table.items() if i not in self.sources}
        sweeps = {i: engine.sweep(self.tables[i], monitors, i in needed) for i, monitors in own.items()}
        self.known: Mapping[TableId, tuple[Column, Judged]] = {}  # of the last events
        self.sweeps = {i: sweep for i, sweep in sweeps.items() if sweep is not None}

    @property
    def series(self) -> int:
        """How many series there are."""
        return sum(len(table.keys) for table in self.tables.values())

    def watched(self, tables: Iterable[SeriesTable]) -> list[tuple[SeriesTable, Sequence[Monitor]]]:
        """Tables with their monitors."""
        return [(table, self.of_table[table.id]) for table in tables]

    def _made_of(self, monitor: cfg.Monitor) -> tuple[SeriesTable, Source | None]:
        table_id = table_id_of(self.config, monitor)
        return self.tables[table_id], self.sources.get(table_id)

    def _add_table(self, table_id: TableId, sampled: bool) -> None:
        reference = self.config.reference
        warmup = reference.windows if table_id.signal.spec.of_many else reference.warmup
        self.tables[table_id] = SeriesTable(
            table_id, warmup, self.rows_max, self.engine.table, self.checks, self.config.given_hash, sampled
        )
        source = make_source(self.config, table_id, self.tables)
        if source is not None:
            self.sources[table_id] = source

    def step(self, batch: Batch, used: Bool, now: I64) -> list[Finding]:
        """What the monitors find in the used events of a batch, in its order."""
        found, known, grouped = list[Finding](), dict[TableId, tuple[Column, Judged]](), dict[tuple[Any, ...], Groups]()
        of = populations(batch, used)
        sent, batch = batch, self.readings.take(batch, of[Population.INFERENCES])
        for table_id, table in self.tables.items():
            chosen = of[table_id.signal.spec.population]
            same = table_id.by, table_id.models, id(chosen)
            groups = grouped[same] if same in grouped else grouped.setdefault(same, table.groups(batch, chosen))
            if table_id in self.sweeps:
                findings, shown = self.sweeps[table_id].step(batch, groups, now)
                found += findings
                if shown is not None:
                    known[table_id] = shown
                continue
            source = self.sources.get(table_id)
            read = sent if table.signal.spec.as_sent else batch
            column = source.column(read, groups, table, known) if source else table.column(read, groups)
            judged = table.judge(batch, column)
            known[table_id] = column, judged
            found += step_table(batch, table, column, judged, self.of_table[table_id], now)
        self.known = known
        return sorted(found, key=IN_ORDER)

    def unfamiliar(self, found: F64) -> None:
        """Add to what is `found` of the events of a batch what its last part says, see `Shown`."""
        for table_id, (column, _) in self.known.items():
            source = self.sources.get(table_id)
            if table_id.signal.kind == "ood" and isinstance(source, OutOfDistribution):
                found[column.events] = np.fmax(found[column.events], source.graded(column, self.known))

    def follow(self, follows: Callable[[str, int], bool]) -> None:
        """Look no further at the series whose alert is over, or never opened."""
        for monitor in self.by_order:
            if monitor.following is not None and monitor.following.open:
                monitor.following.keep([r for r in monitor.following.open if follows(monitor.name, r)])

    def dump(self) -> dict[str, Any]:
        return {
            "homes": self.readings.dump(),
            "sharing": self.sharing.dump(),
            "tables": {t.identity: t.dump() for t in self.tables.values()},
            "rules": {self.tables[i].identity: source.dump() for i, source in self.sources.items()},
            "monitors": {name: {"spec": self.spec(name), "state": m.dump()} for name, m in self.monitors.items()},
        }

    def spec(self, name: str) -> str:
        """What a monitor's state means: with another detector or table the state of old is void."""
        monitor = self.monitors[name]
        return f"{monitor.table.identity}|{monitor.config.state_spec()}"

    def load(self, state: Mapping[str, Any]) -> set[str]:
        """Into a new one; the names of the monitors whose state goes on."""
        self.readings.load(state.get("homes"))  # Older snapshots have none.
        for table in (one for one in self.tables.values() if one.identity in state["tables"]):
            table.load(state["tables"][table.identity])
        if self.config.given is not None:
            seed_again(self.config.given, self.watched(self.tables.values()), state["tables"])
        for table_id, source in self.sources.items():
            if self.tables[table_id].identity in state["rules"]:
                source.load(state["rules"][self.tables[table_id].identity])
        kept = set()
        for name, monitor in self.monitors.items():
            saved = state["monitors"].get(name)
            if saved is not None and saved["spec"] == self.spec(name):
                monitor.load(saved["state"])
                kept.add(name)
        self.sharing.load(state.get("sharing"))  # Older snapshots have none.
        for monitor in self.by_order:
            monitor.share()
        return kept
