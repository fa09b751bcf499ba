"""Alerts on a terminal."""

from __future__ import annotations

from streamer.bridges.story import story
from streamer.bridges.told import told
from streamer.commands.alert_text import account, grouped, line, printable, table
from tests.bridges.samples import changed, incidents, of, records

NEWEST = {one.key: one for one in records()}.values()


def test_alerts_stand_below_their_incident_what_is_open_first() -> None:
    text = table(NEWEST).splitlines()
    assert [row.split("  ")[0].strip() or row.split()[0] for row in text[1:6]] == [
        "OPEN",
        "FIRING",
        "OPEN",
        "FIRING",
        "2 firing, 1 resolved.",
    ] or [row.split()[0] for row in text[1:]] == ["OPEN", "RESOLVED", "FIRING", "OPEN", "FIRING", "2"]
    assert text[-1] == "2 firing, 1 resolved."
    assert text[0].split() == ["STATE", "SEVERITY", "SINCE", "MODEL", "MONITOR", "ID", "WHAT"]
    assert text[2].startswith("  RESOLVED")


def test_alerts_of_no_incident_stand_last() -> None:
    alerts = [one for one in NEWEST if one.kind == "alert"]
    [(incident, found)] = grouped(alerts)
    assert incident is None
    assert [one.monitor for one in found] == ["amount-shape", "nulls", "amount-mean"]
    assert table([]) == "0 firing, 0 resolved."


def test_what_is_silenced_is_marked() -> None:
    marked = [row for row in table(NEWEST, [of("nulls")[0].key]).splitlines() if "(silenced)" in row]
    assert [row.split()[:2] for row in marked] == [["FIRING", "(silenced)"]]


def test_an_account_has_all_its_parts() -> None:
    text = account(story(of("amount-mean")))
    heads = [row for row in text.splitlines() if row and not row.startswith(" ")]
    assert heads[2:] == ["Evidence", "Timeline (times of events)", "See it happen again", "Next step"]
    assert heads[0] == "RESOLVED  critical  fraud: amount-mean  (02e48fa0c377fb37)"
    assert "What moved\n  10.0 % -> 100.0 %  from 112.9 on" in account(story(of("amount-shape")))
    assert f"({of('amount-mean')[0].episode})" in account(story(incidents()[:2]))


def test_no_name_drives_the_terminal() -> None:
    fired = of("nulls")[0]
    labels = {**fired.record["data"]["alert"]["labels"], "model": "a\x1b[2J\nb\u202e"}
    one = told(changed(fired, data__alert__labels=labels, data__sentence="x\r\x07y"))
    assert one is not None
    for text in (line(one), table([one]), account(story([one]))):
        assert not {"\x1b", "\r", "\x07", "\u202e"} & set(text)
    assert "a?[2J?b?" in table([one])
    assert printable("naïve – ok") == "naïve – ok"
