"""What a monitor of peers needs; `peers-misused.bad.yaml` has the sentences."""

from __future__ import annotations

from streamer.config.load import check
from streamer.config.peer_checks import peers_can_be_compared
from tests.config.samples import LEAST


def test_what_peers_are_told_apart_by_may_stand_in_the_defaults() -> None:
    text = "monitors: {m: {signal: value, detect: {kind: peers}}}\n"
    assert [one.path for one in check((LEAST + text).encode(), "x", {})[1]] == ["monitors.m.detect.kind"]
    assert check((LEAST + "defaults: {by: [caller]}\n" + text).encode(), "x", {})[1] == []
    assert list(peers_can_be_compared({"monitors": {"m": {"detect": {"kind": "peers"}, "by": ["caller"]}}})) == []
