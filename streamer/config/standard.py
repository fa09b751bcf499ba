"""The standard set of monitors, and what a file means that changes some of it, or shares defaults among its monitors.

It is worked out on the plain values of the file, before they are checked: what is checked, shown and hashed is all.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from detectors import Adwin
from streamer.config.detect import kinds_that
from streamer.config.sides import topics_of
from streamer.config.topics import GROUP, ordered_topic

ENVELOPE = {"kind": "envelope"}
SCAN = {"kind": "scan"}
DISTRIBUTION = {"kind": "distribution", "max": 0.25, "days": True}
TUNED = {one.name for one in fields(Adwin)} - {"direction"}
"""Whoever sets one of these by hand means the detector that has it."""

STANDARD: dict[str, dict[str, Any]] = {
    "feature-mean": {"signal": "features.*", "detect": ENVELOPE},
    "feature-distribution": {"signal": "features.*", "detect": DISTRIBUTION},
    "category-distribution": {"signal": "category.*", "detect": DISTRIBUTION},
    "unseen-category": {"signal": "unseen.*", "detect": SCAN},
    "missing": {"signal": "missing.*", "detect": ENVELOPE},
    "confidence": {"signal": "confidence", "detect": {**ENVELOPE, "direction": "down"}},
    "confidence-distribution": {"signal": "confidence", "detect": DISTRIBUTION},
    "score": {"signal": "score.*", "detect": ENVELOPE},
    "logit": {"signal": "logit.*", "detect": ENVELOPE},
    "label-share": {"signal": "label.*", "detect": ENVELOPE},
    "rare-label": {"signal": "label.*", "detect": SCAN},
    "anomaly-fraction": {"signal": "anomaly", "detect": {"kind": "fraction", "max": 0.05, "days": True}},
    "anomaly-drift": {"signal": "anomaly", "detect": {**ENVELOPE, "direction": "up"}},
    "correlation": {
        "signal": "correlation",
        "detect": {"kind": "level", "against": "days", "change": 0.2, "direction": "up"},
    },
    "traffic": {"signal": "traffic", "window": {"time": "10m"}, "detect": {"kind": "level", "against": "days"}},
    "latency": {
        "signal": "p95(latency_ms)",
        "window": {"time": "1m", "least": 100},
        "detect": {"kind": "level", "against": "days", "change": 0.2, "direction": "up"},
    },
    "error": {"signal": "error", "detect": {**ENVELOPE, "direction": "up"}},
    "value": {"signal": "value", "detect": ENVELOPE},
    "nan-prediction": {"signal": "nan_prediction", "detect": {"kind": "occurrence"}},
    "feature-type": {"signal": "type_change.*", "detect": {"kind": "occurrence"}},
    "no-data": {"signal": "events", "detect": {"kind": "silence", "days": True}},
    "caller-silent": {"signal": "events", "by": ["caller"], "detect": {"kind": "silence", "days": True}},
}
SHADOW = "drift-shadow"
"""Where shadow monitors publish unless the file says otherwise; without one nobody needs such a topic."""
OF_EMBEDDINGS: dict[str, dict[str, Any]] = {"embedding": {"signal": "embedding.*", "detect": ENVELOPE}}
"""What else is of the set where the file has `embeddings`."""
OF_LABELS: dict[str, dict[str, Any]] = {
    "realised-error": {"signal": "realised_error", "detect": {**ENVELOPE, "direction": "up"}},
    "absolute-error": {"signal": "absolute_error", "detect": {**ENVELOPE, "direction": "up"}},
    "gap": {"signal": "realised_error", "detect": {"kind": "gap", "direction": "up"}},
    "prediction-bias": {"signal": "prediction_bias", "detect": ENVELOPE},
    "brier": {"signal": "brier", "detect": {**ENVELOPE, "direction": "up"}},
    "label-delay": {"signal": "label_delay", "detect": ENVELOPE},
    "unlabelled": {"signal": "unlabelled", "detect": {**ENVELOPE, "direction": "up"}},
    "no-labels": {"signal": "labels", "detect": {"kind": "silence", "days": True}},
}
"""The same where it has `labels`."""
OFF = (False, "off")
WHOLE = ("events", "labels", "traffic", "version_change")
"""Signals that are about the model as a whole: an old version that falls silent is no news."""


def resolved(value: Any, filled: bool = True) -> Any:
    """The config with the standard set and the defaults worked in; values that are no mappings stay as they are.

    An entry without `signal` under the name of a standard monitor changes it key by key, `false` takes it away. The set
    is there when the file says `standard: true`, names no monitors, or changes one of it. Without `filled` the defaults
    are left alone: they are wrong, and that is said once.
    """
    if not isinstance(value, dict) or not isinstance(value.get("monitors"), dict | None):
        return value
    own: dict[str, Any] = value.get("monitors") or {}
    offered = STANDARD | (OF_EMBEDDINGS if value.get("embeddings") else {})
    offered |= OF_LABELS if isinstance(value.get("labels"), dict) else {}
    changes = {name for name, monitor in own.items() if name in offered and _changes(monitor)}
    standard = value.get("standard")
    if not isinstance(standard, bool):
        standard = bool(changes) or not own
    monitors: dict[str, Any] = {}
    for name, monitor in offered.items() if standard else ():
        given = own.get(name, {})
        if not (isinstance(given, bool | str) and given in OFF):
            monitors[name] = _changed(monitor, given) if name in changes or name not in own else given
    monitors |= {name: monitor for name, monitor in own.items() if name not in changes}
    defaults = value.get("defaults")
    if filled and isinstance(defaults, dict):
        monitors = {name: _filled(monitor, defaults) for name, monitor in monitors.items()}
    value = {**value, "monitors": monitors}
    topics, shadows = value.get("topics"), [one for one in monitors.values() if isinstance(one, dict)]
    if isinstance(topics, dict) and any(one.get("shadow") is True for one in shadows):
        value["topics"] = topics = {**topics, "shadow": topics.get("shadow", SHADOW)}
    kafka = value.get("kafka")
    if isinstance(topics, dict) and isinstance(kafka, dict):
        value["topics"] = _ordered(topics, kafka, bool(topics_of(value)))
    return value


def _ordered(topics: dict[str, Any], kafka: dict[str, Any], beside: bool) -> dict[str, Any]:
    """Who names a topic for it wants the order of models; who has topics `beside` those of inferences needs it."""
    order = kafka.get("order", "auto")
    if (order == "model" or (beside and order == "auto")) and isinstance(kafka.get("group", GROUP), str):
        return {"ordered": ordered_topic(kafka.get("group", GROUP)), **topics}
    return {role: name for role, name in topics.items() if role != "ordered" or order != "topic"}


def _changes(monitor: Any) -> bool:
    off = isinstance(monitor, bool | str) and monitor in OFF
    return off or (isinstance(monitor, dict) and "signal" not in monitor)


def _changed(monitor: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    detect, new = monitor["detect"], given.get("detect")
    if isinstance(new, dict) and "kind" not in new and detect == {**detect, **ENVELOPE} and {*new} & TUNED:
        detect = {**detect, "kind": "adwin"}
    if isinstance(new, dict) and new.get("kind", detect["kind"]) == detect["kind"]:
        given = {**given, "detect": {**detect, **new}}
    return {**monitor, **given}


def _filled(monitor: Any, defaults: dict[str, Any]) -> Any:
    if not isinstance(monitor, dict):
        return monitor
    detect = monitor.get("detect")
    kind = detect.get("kind") if isinstance(detect, dict) else None
    held, edge = kind in kinds_that("held"), kind in kinds_that("edged") and kind in kinds_that("recovers")
    left = {"for": held, "resolve": edge, "by": monitor.get("signal") not in WHOLE}
    return {**{name: value for name, value in defaults.items() if left.get(name, True)}, **monitor}
