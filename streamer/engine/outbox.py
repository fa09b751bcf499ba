"""What the next commit publishes, in the order of the log.

Alerts and incidents are written late and many at a time: between batches, where the processor has other things at hand,
that costs two to three times as much. Until then they wait as notices, with which alerts one call told of: those of one
event change an incident once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streamer.alerts.alert import Notice
from streamer.alerts.alert_record import AlertRecords, key_of
from streamer.incidents.record import Incidents
from streamer.port import Out


class Outbox:
    """Records, alerts that are to be written, and what these change in incidents."""

    def __init__(self, records: AlertRecords, incidents: Incidents) -> None:
        self.records, self.incidents = records, incidents
        self.decided: list[Out | Notice] = []
        self.fresh: list[Out | Sequence[Notice]] = []  # the newest, of which the incidents have not heard
        self.notices = 0  # of those

    @property
    def waiting(self) -> int:
        """How many records there are, by and large: of the newest alerts each counts with an incident."""
        return len(self.decided) + len(self.fresh) + 2 * self.notices

    def put(self, outs: Iterable[Out]) -> None:
        """Records as they are."""
        self.fresh += outs

    def announce(self, notices: Sequence[Notice]) -> None:
        """Alerts that one call told of."""
        if notices:
            self.fresh.append(notices)
            self.notices += len(notices)

    def settle(self) -> None:
        """Tell the incidents of all alerts so far."""
        fresh, self.fresh, self.notices = self.fresh, [], 0
        for item in fresh:
            if isinstance(item, Out):
                self.decided.append(item)
            else:
                self.decided += self.incidents.told_of(item)

    def tick(self, offset: int, time_ms: int) -> None:
        """The time passed for incidents, too."""
        self.settle()
        self.decided += self.incidents.settle(offset, time_ms)

    def written(self) -> list[Out]:
        """All of it as records."""
        self.settle()
        record = self.records.record
        found = [item if isinstance(item, Out) else record(item) for item in self.decided]
        self.decided = [*found]  # A commit that is tried again finds it written.
        return found

    def write(self) -> None:
        """What waits is nobody's matter from here on but the commit's."""
        self.written()

    def drop(self, count: int | None) -> None:
        """Forget the first `count` of `written`, or all."""
        if count is None:
            self.settle()
        for item in self.decided[:count]:
            if isinstance(item, Notice):
                self.records.told(item, key_of(item))
        del self.decided[:count]
