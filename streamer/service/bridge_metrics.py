"""What a bridge counts; a process of its own, so these are all of its metrics."""

from __future__ import annotations

from typing import Literal

from streamer.service.catalogue import Spec

RESULTS = ("delivered", "refused", "unwanted", "repeated", "unread")
SILENCES = ("made", "ended", "taken", "not_taken", "failed")
OUTCOMES = ("delivered", "refused", "later")
BridgeCounter = Literal[
    "bridge_records_total",
    "bridge_attempts_total",
    "bridge_silences_total",
    "bridge_hidden_total",
    "bridge_forgotten_total",
]
BridgeGauge = Literal[
    "bridge_waiting_records",
    "bridge_receiver_up",
    "bridge_firing",
    "bridge_assigned_partitions",
    "bridge_last_delivery_timestamp_seconds",
]
BRIDGE_CATALOGUE: dict[BridgeCounter | BridgeGauge, Spec] = {
    "bridge_records_total": Spec(
        "counter",
        "What became of records: delivered, refused for good by the receiver, not to be told, told before (equal id), "
        "or none of ours.",
        {"result": RESULTS},
    ),
    "bridge_attempts_total": Spec(
        "counter",
        "Requests by what became of them; later: no answer, or one after which it is tried again.",
        {"outcome": OUTCOMES},
    ),
    "bridge_silences_total": Spec(
        "counter",
        "Silences of Alertmanager: made for a mute, ended with it, taken as a mute, such as cannot be one, or failed "
        "and tried again.",
        {"result": SILENCES},
    ),
    "bridge_waiting_records": Spec("gauge", "Records that are read and not delivered yet."),
    "bridge_receiver_up": Spec("gauge", "Whether the receiver took, or refused, what it was last sent."),
    "bridge_firing": Spec("gauge", "Alerts and incidents that fire."),
    "bridge_hidden_total": Spec("counter", "Alerts told no more, as more than the limit fire."),
    "bridge_forgotten_total": Spec("counter", "Alerts told no more, as no record told of them for forget_after."),
    "bridge_assigned_partitions": Spec("gauge", "Partitions of the alerts topic that this process reads."),
    "bridge_last_delivery_timestamp_seconds": Spec("gauge", "When the receiver last took something, Unix time."),
}
