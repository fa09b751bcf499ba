"""Alerts as text for a terminal: a line each, a table of how things stand, and the account of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from streamer.bridges.story import Story, state_of
from streamer.bridges.told import SEVERITIES, Told
from streamer.offline.cell_width import padded

HEADS = ("STATE", "SEVERITY", "SINCE", "MODEL", "MONITOR", "ID")


def printable(text: str) -> str:
    """Names come from producers: nothing in them drives the terminal, or breaks the line."""
    return "".join(char if char.isprintable() else "?" for char in text)


def line(one: Told) -> str:
    """One record, as it comes."""
    who = one.monitor or "incident"
    return printable(f"{one.time}  {state_of(one):<8}  {one.severity:<8}  {who}  {one.sentence}  ({one.key})")


def grouped(newest: Iterable[Told]) -> list[tuple[Told | None, list[Told]]]:
    """Incidents with their alerts, then alerts of none; what is open first, the gravest and the newest first."""
    known = list(newest)
    alerts = {one.episode: one for one in known if one.kind == "alert"}
    groups: list[tuple[Told | None, list[Told]]] = []
    for incident in sorted((one for one in known if one.kind == "incident"), key=rank, reverse=True):
        episodes = [str(member["episode"]) for member in incident.record["data"]["members"]]
        groups.append((incident, [alerts.pop(episode) for episode in episodes if episode in alerts]))
    rest = sorted(alerts.values(), key=rank, reverse=True)
    return groups + ([(None, rest)] if rest else [])


def rank(one: Told) -> tuple[bool, int, str]:
    return not one.over, SEVERITIES.index(one.severity), one.since


def table(newest: Iterable[Told], silenced: Iterable[str] = ()) -> str:
    """How things stand: a line for each alert, below its incident."""
    groups, hushed = grouped(newest), frozenset(silenced)
    rows: list[tuple[str, ...]] = [HEADS]
    sentences = ["WHAT"]
    for incident, alerts in groups:
        for one in ([incident] if incident else []) + alerts:
            inset = "  " if incident and one.kind == "alert" else ""
            state = f"{inset}{state_of(one)}{' (silenced)' if one.key in hushed else ''}"
            who = one.monitor or ("incident" if one.kind == "incident" else "")
            rows.append((state, one.severity, one.since, one.model, who, one.key))
            sentences.append(one.sentence)
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(cell_len(row[place]) for row in shown) for place in range(len(HEADS))]
    lines = [
        "  ".join([*(padded(cell, width) for cell, width in zip(row, widths, strict=True)), printable(sentence)])
        for row, sentence in zip(shown, sentences, strict=True)
    ]
    every = [one for incident, alerts in groups for one in alerts]
    firing = sum(not one.over for one in every)
    return "\n".join([*(lines if len(lines) > 1 else []), f"{firing} firing, {len(every) - firing} resolved."])


def account(told: Story) -> str:
    """All there is to say of one."""
    one = told.told
    who = one.monitor or "incident"
    head = [f"{told.state}  {one.severity}  {one.model}{': ' if one.model else ''}{who}  ({one.key})", one.sentence]
    parts = [head + told.notes, ["Evidence", *pairs(told.facts)]]
    if told.shares:
        shares = [(f"{100 * share.before:.1f} % -> {100 * share.after:.1f} %", share.name) for share in told.shares]
        parts.append(["What moved", *pairs(shares)])
    if told.members:
        parts.append(["Alerts", *(f"  {since}  {moved}  ({episode})" for since, moved, episode in told.members)])
    for each in told.inside:
        moved = [(f"{100 * share.before:.1f} % -> {100 * share.after:.1f} %", share.name) for share in each.shares]
        again = [("see it again", each.command)] if each.command else []
        parts.append([each.told.sentence, *pairs([*each.facts, *moved, *again])])
    parts.append(["Timeline (times of events)", *pairs(told.timeline)])
    if told.deployed:
        parts.append(["Deployed and changed", *pairs(told.deployed)])
    if told.command:
        parts.append(["See it happen again", f"  {told.command}"])
    parts.append(["Next step", f"  {told.next_step}"])
    return "\n\n".join("\n".join(map(printable, part)) for part in parts)


def pairs(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {name.ljust(width)}  {text}" for name, text in rows]
