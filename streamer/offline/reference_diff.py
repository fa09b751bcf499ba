"""What moved between two files of references."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.distances import psi
from streamer.config.reference_file import References, Series
from streamer.signals.categories import CODES


class Moved(NamedTuple):
    """One series that is in both files, or in one."""

    name: str
    what: str  # "moved", "same", "appeared" or "vanished"
    deviations: float  # of the mean, in standard deviations of the first file
    psi: float | None  # of categories
    sentence: str


def series_of(references: References) -> dict[str, Series]:
    """Every series by a name that is the same in all files."""
    named = [(table.signal, one) for table in references.tables for one in table.series]
    return {f"{signal}: {' / '.join([*one.key, one.member])}": one for signal, one in named}


def diff(first: References, second: References) -> list[Moved]:
    """Largest change first; what is in one file only comes before all."""
    before, after = series_of(first), series_of(second)
    found = [Moved(name, "vanished", 0.0, None, "is only in the first") for name in before if name not in after]
    found += [Moved(name, "appeared", 0.0, None, "is only in the second") for name in after if name not in before]
    both = [_moved(name, before[name], after[name]) for name in before if name in after]
    return found + sorted(both, key=lambda m: -max(abs(m.deviations), 10.0 * (m.psi or 0.0)))


def _moved(name: str, before: Series, after: Series) -> Moved:
    if False in (before.category, after.category):
        same = before.category == after.category
        return Moved(name, "same" if same else "moved", 0.0, None, "texts that are no categories")
    if before.categories is not None and after.categories is not None:
        apart = _categories(before, after)
        told = "no shares to compare" if apart is None else f"PSI {apart:.3f}"
        new = sorted(set(after.categories) - set(before.categories))
        gone = sorted(set(before.categories) - set(after.categories))
        told += "".join(f", {what}: {', '.join(some[:5])}" for what, some in (("new", new), ("gone", gone)) if some)
        same = not new and not gone and (apart is None or abs(apart) < 1e-12)
        return Moved(name, "same" if same else "moved", 0.0, apart, told)
    away = after.mean - before.mean
    deviations = away / before.std if before.std > 0 else float(np.sign(away)) * 10.0
    told = f"mean {before.mean:.4g} -> {after.mean:.4g} ({deviations:+.2f} deviations)"
    told += f", std {before.std:.4g} -> {after.std:.4g}"
    same = (before.mean, before.std) == (after.mean, after.std)
    return Moved(name, "same" if same else "moved", deviations, None, told)


def _categories(before: Series, after: Series) -> float | None:
    """PSI of the shares by name; None where one of them has no counts."""
    shares = []
    for one in (before, after):
        bins = next(iter(one.bins.values()), None)
        if bins is None or one.categories is None:
            return None
        named = dict(zip(one.categories[:CODES], bins.counts, strict=False))
        named[""] = sum(bins.counts) - sum(named.values())
        shares.append(named)
    names = list(dict.fromkeys([*shares[0], *shares[1]]))
    first, second = (np.array([named.get(name, 0) for name in names], np.int64) for named in shares)
    return psi(first, second)
