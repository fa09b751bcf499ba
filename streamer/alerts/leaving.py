"""What becomes of alerts when series leave their table: what is open for one ends, and the others change rows."""

from __future__ import annotations

from collections.abc import Callable, Collection

from streamer.alerts.alert import GONE, QUIET, Moment, Notice
from streamer.alerts.lifecycle import AlertBook
from streamer.alerts.timetable import Timetable
from streamer.signals.columns import I64


def open_rows(book: AlertBook, monitors: Collection[str]) -> set[int]:
    """The rows of these monitors that have an open alert."""
    return {row for (name, row), alert in book.alerts.items() if name in monitors and alert.state != QUIET}


def open_models(book: AlertBook) -> set[str]:
    """The models that have an open alert."""
    return {alert.model for alert in book.alerts.values() if alert.state != QUIET}


def retain(book: AlertBook, monitors: Collection[str], rows: I64, at: Callable[[str], Moment]) -> list[Notice]:
    """Row rows[i] of these monitors becomes row i; what is open for any other ends at the moment of its model. The
    notices still have the rows of old.
    """
    number = {row: i for i, row in enumerate(rows.tolist())}
    notices: list[Notice] = []
    alerts = list(book.alerts.values())
    for alert in alerts:
        if alert.monitor in monitors and alert.row not in number and alert.state != QUIET:
            book.signal(alert, GONE, at(alert.model), notices)
    book.alerts, book.timers, book.deadlines = {}, Timetable(), Timetable()
    for alert in alerts:
        if alert.monitor not in monitors or alert.row in number:
            alert.row = number[alert.row] if alert.monitor in monitors else alert.row
            book.put(alert)
    return notices


def forget(book: AlertBook, models: Collection[str]) -> None:
    """The alerts of these models are not of this book any more, and go on elsewhere."""
    alerts = [alert for alert in book.alerts.values() if alert.model not in models]
    book.alerts, book.timers, book.deadlines = {}, Timetable(), Timetable()
    for alert in alerts:
        book.put(alert)
    book.silent = {model: known for model, known in book.silent.items() if model not in models}
