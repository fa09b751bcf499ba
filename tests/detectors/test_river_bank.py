"""What a snapshot may make of a river object: values only, of the types a fresh one has, or ValueError."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import River
from detectors.river_bank import RiverBank, make_river, restore, take_apart

NAMES = ["ADWIN", "KSWIN", "DDM", "HDDMW"]


def used(name: str) -> Any:
    detector = make_river(River(name))
    for i in range(150):
        detector.update(float(i % 3 == 0))
    return detector


BLOBS = {name: msgpack.packb(take_apart(used(name))) for name in NAMES}


def changed(name: str, attribute: str, part: Any) -> bytes:
    kind, parts = take_apart(used(name))
    return bytes(msgpack.packb([kind, {**parts, attribute: part}]))


@pytest.mark.parametrize(
    ("name", "attribute", "part"),
    [
        ("DDM", "_p_min", ["v", "text"]),
        ("DDM", "_drift_detected", ["v", 3]),
        ("DDM", "_ps_min", ["v", None]),
        ("DDM", "drift_threshold", ["v", 99.0]),
        ("DDM", "_p", ["v", 1.0]),
        ("DDM", "unheard_of", ["v", 1.0]),
        ("DDM", "_ps_min", ["x", 1.0]),
        ("DDM", "_ps_min", ["l", [["v", 1.0]]]),
        ("DDM", "_ps_min", 7),
        ("KSWIN", "window", ["l", [["v", 1.0]] * 101]),
        ("KSWIN", "window", ["l", [["v", "text"]]]),
        ("KSWIN", "window", ["l", [["l", [["v", 1.0]]]]]),
        ("KSWIN", "_rng", ["r", [3, [1, 2], None]]),
        ("KSWIN", "_rng", ["v", 1]),
        ("ADWIN", "_helper", ["b", b""]),
        ("ADWIN", "_helper", ["b", b"\xff" * 300]),
        ("ADWIN", "_helper", ["v", 1.0]),
    ],
)
def test_a_part_of_another_kind_is_refused(name: str, attribute: str, part: Any) -> None:
    with pytest.raises(ValueError, match="river state"):
        restore(River(name), changed(name, attribute, part))


def test_state_of_other_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="parameters"):
        restore(River("DDM", (("warm_start", 31),)), BLOBS["DDM"])


@pytest.mark.parametrize("name", NAMES)
def test_cut_short_it_is_refused(name: str) -> None:
    blob = BLOBS[name]
    for length in range(0, len(blob), max(len(blob) // 40, 1)):
        with pytest.raises(ValueError, match="river state"):
            restore(River(name), blob[:length])


def test_nested_without_end_it_is_refused() -> None:
    with pytest.raises(ValueError, match="river state"):
        restore(River("DDM"), b"\x92\xa1l\x91" * 600 + b"\x90")


@given(st.sampled_from(NAMES), st.integers(0, 10**6), st.binary(min_size=1, max_size=4))
def test_spoilt_it_is_a_value_error_or_a_detector(name: str, place: int, noise: bytes) -> None:
    blob = BLOBS[name]
    place %= len(blob)
    try:
        detector = restore(River(name), blob[:place] + noise + blob[place + len(noise) :])
    except ValueError:
        return
    assert type(detector) is type(make_river(River(name)))


def test_binary_detectors_get_values_between_0_and_1() -> None:
    values = np.random.default_rng(0).normal(0, 3, 500)
    for name in ("DDM", "EDDM", "FHDDM", "HDDMA", "HDDMW"):
        wild, tame = RiverBank(River(name)), RiverBank(River(name))
        for bank, fed in ((wild, values), (tame, np.clip(values, 0, 1))):
            bank.resize(1)
            bank.update(np.zeros(500, np.int64), fed)
        assert wild.dump()["data"].tobytes() == tame.dump()["data"].tobytes()
