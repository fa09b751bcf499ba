"""Healthy days of one model, as a file of events."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

BEGIN = 1_700_006_400


def write_days(folder: Path, days: int, a_day: int) -> Path:
    """One feature, confidence, two labels, at an even pace."""
    rng, path = np.random.default_rng(4), folder / "days.jsonl"
    noise, ok = rng.standard_normal((days * a_day, 2)), rng.random(days * a_day) < 0.9
    lines = [
        {
            "model": "fraud",
            "time": BEGIN + i * 86_400 / a_day,
            "features": {"amount": 100 + 10 * one},
            "prediction": {"label": "ok" if ok[i] else "bad", "confidence": 0.9 + 0.03 * two},
        }
        for i, (one, two) in enumerate(noise.tolist())
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
