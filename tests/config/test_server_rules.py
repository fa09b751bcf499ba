"""Who may reach the page, as lint sees it."""

from __future__ import annotations

import pytest

from streamer.config.load import check, load_text
from streamer.config.model import Config
from streamer.config.server_rules import SERVER_RULES, open_to_others
from tests.config.samples import LEAST

TOKEN = "token: 0f3a9c1d77e24b58"


def found(server: str) -> dict[str, str]:
    _, problems = check(f"{LEAST}server: {{{server}}}\n".encode(), "x.yaml", {})
    return {problem.path: problem.severity for problem in problems}


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ('listen: "10.0.0.7:8080", page: all, control: true', {"server.control": "error"}),
        ('listen: "10.0.0.7:8080", page: all', {"server.page": "warning"}),
        (f'listen: "10.0.0.7:8080", page: all, control: true, {TOKEN}', {}),
        (f'listen: "10.0.0.7:8080", page: all, {TOKEN}', {}),
        ('listen: "10.0.0.7:8080", control: true', {}),
        ('listen: "10.0.0.7:8080", page: off, control: true', {}),
        ('listen: "127.0.0.1:8080", page: all, control: true', {}),
        ('listen: "[::1]:8080", page: all, control: true', {}),
        ("page: all, control: true", {}),
        ('page: all, token: "fifteen-letters"', {"server.token": "error"}),
        ('page: all, token: "sixteen letters!"', {"server.token": "error"}),
        ('token: "***"', {"server.token": "warning"}),
    ],
)
def test_who_may_change_something_is_known(server: str, told: dict[str, str]) -> None:
    assert found(server) == told


def test_the_token_is_a_secret_wherever_it_comes_from() -> None:
    config: Config = load_text(f"{LEAST}server: {{{TOKEN}}}\n", "x.yaml", {})
    assert "0f3a9c1d77e24b58" in config.secrets()
    assert ("server", "token") in config.hidden()


@pytest.mark.parametrize("junk", [None, 5, [], "x", {"listen": 5, "page": "all"}, {"listen": "x", "page": ["all"]}])
def test_what_is_no_server_is_passed_over(junk: object) -> None:
    assert not open_to_others(junk)
    assert [list(rule({"server": junk})) for rule in SERVER_RULES] == [[], []]
