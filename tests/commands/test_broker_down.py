"""One way to say that no broker lets us in, for every verb."""

from __future__ import annotations

import pytest

from streamer.commands.broker_down import exit_unreachable
from streamer.port import LogDown


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (LogDown("a:1: no such host", "unknown_host", "ask DNS"), "unknown_host: a:1: no such host\n  fix: ask DNS\n"),
        (LogDown("consumer: gone"), "broker_unreachable: consumer: gone\n"),
    ],
)
def test_it_is_named_explained_and_69(error: LogDown, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        exit_unreachable(error)
    assert ended.value.code == 69
    assert capsys.readouterr() == ("", f"driftline: {said}")
