"""Which class of monitor serves which `detect.kind`."""

from __future__ import annotations

from collections.abc import Callable

from streamer.config import budget
from streamer.config import model as cfg
from streamer.config.detect import DetectLevel
from streamer.monitors.base import Monitor, MonitorParts, MonitorSpec
from streamer.monitors.daily_levels import DailyLevelMonitor
from streamer.monitors.daily_traffic import DailyTrafficMonitor
from streamer.monitors.distribution import DistributionMonitor
from streamer.monitors.edges import EdgeMonitor, OccurrenceMonitor, RankMonitor, ScanMonitor
from streamer.monitors.envelope import EnvelopeMonitor
from streamer.monitors.gap import GapMonitor
from streamer.monitors.levels import LevelMonitor, TrendMonitor
from streamer.monitors.peers import PeersMonitor
from streamer.monitors.silence import AgeMonitor, SilenceMonitor
from streamer.monitors.windowed import FractionMonitor, ShareMonitor
from streamer.series.sources import Source
from streamer.series.table import SeriesTable
from streamer.signals.grammar import counts_events


def level_monitor(made: MonitorSpec) -> Monitor:
    """By what a level is compared with; days of a count are other than those of a statistic."""
    detect = made.config.detect
    if not isinstance(detect, DetectLevel) or detect.against != "days":
        return LevelMonitor(made)
    return DailyTrafficMonitor(made) if counts_events(made.table.signal) else DailyLevelMonitor(made)


MONITORS: dict[str, Callable[[MonitorSpec], Monitor]] = {
    # A kind that is not here looks for edges with the bank of its name.
    "envelope": EnvelopeMonitor,
    "shiryaev_roberts": RankMonitor,
    "occurrence": OccurrenceMonitor,
    "scan": ScanMonitor,
    "fraction": FractionMonitor,
    "share": ShareMonitor,
    "distribution": DistributionMonitor,
    "level": level_monitor,
    "trend": TrendMonitor,
    "age": AgeMonitor,
    "silence": SilenceMonitor,
    "peers": PeersMonitor,
    "gap": GapMonitor,
}


def make_monitors(
    config: cfg.Config, parts: MonitorParts, made_of: Callable[[cfg.Monitor], tuple[SeriesTable, Source | None]]
) -> dict[str, Monitor]:
    """The monitors of the config by name, in its order; `made_of` gives a monitor's table and what makes its values."""
    made: dict[str, Monitor] = {}
    shares = budget.parts(config.false_alarms, config.effective_monitors())
    lateness_ms, publishes = config.limits.lateness_ms, config.topics.windows is not None
    for order, (name, monitor) in enumerate(config.effective_monitors().items()):
        spec = MonitorSpec(order, name, monitor, *made_of(monitor), lateness_ms, parts, shares[name], publishes)
        made[name] = MONITORS.get(monitor.detect.kind, EdgeMonitor)(spec)
    return made
