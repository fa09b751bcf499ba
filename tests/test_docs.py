"""What the READMEs say is so: generated parts are fresh, links and files exist, configs lint, tables are whole."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamer.commands.cli import main
from streamer.offline.generator import GENERATORS, Change, Stream
from streamer.offline.scenario import Expected, Incidents, Scenario
from streamer.service.catalogue import CATALOGUE, PREFIX
from streamer.signals.kinds import FORMS
from tests.docs import PART, PARTS, ROOT, readmes, refreshed
from tests.docs_config import config_reference

README_LINES_MAX = 150
README_WORDS_MAX = 720
"""At 240 a minute, tables and lists included, blocks of code not."""
FENCE = re.compile(r"^(`{3,}).*?^\1", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FILE = re.compile(r"`([\w./-]+/[\w.-]+\.(?:py|pyi|rs|json|ya?ml|toml|md))`")
OF_THE_README = pytest.mark.parametrize("path", readmes(), ids=lambda path: str(path.relative_to(ROOT)))


def kinds() -> list[str]:
    """What `detect.kind` may be, by the reference of the config."""
    return re.findall(r"^#### `detect: \{kind: (\w+)\}`", config_reference(), re.M)


def prose(text: str) -> str:
    """Without the blocks of code."""
    return FENCE.sub("", text)


def anchors(path: Path) -> set[str]:
    """What GitHub makes of the headings: lower case, no punctuation, hyphens for blanks."""
    headings = re.findall(r"^#+ (.+)$", prose(path.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def column(path: str, head: str) -> set[str]:
    """The words in code of the first column of the table whose first column is called so."""
    table = (ROOT / path).read_text().partition(f"| {head} |")[2].partition("\n\n")[0]
    return set(re.findall(r"`([^`]+)`", "".join(line.split(" | ")[0] for line in table.splitlines()[2:])))


def test_there_are_readmes_to_check() -> None:
    assert len(readmes()) >= 8
    assert len(kinds()) >= 10


@OF_THE_README
def test_generated_parts_are_fresh(path: Path) -> None:
    assert refreshed(path.read_text()) == path.read_text(), "run `make docs`"


def test_every_generated_part_stands_in_one_readme() -> None:
    named = Counter(part["name"] for path in readmes() for part in PART.finditer(path.read_text()))
    assert named == Counter(list(PARTS))
    marks = sum(path.read_text().count("<!-- generated:") for path in readmes())
    assert marks == len(PARTS), "a part that is never closed"


def test_a_stale_part_is_seen_and_rewritten() -> None:
    path = ROOT / "streamer" / "service" / "README.md"
    stale = path.read_text().replace("driftline_events_total` | counter", "driftline_events_total` | gauge")
    assert stale != path.read_text()
    assert refreshed(stale) == path.read_text()


def test_the_readme_is_read_in_three_minutes() -> None:
    text = (ROOT / "README.md").read_text()
    assert text.count("\n") <= README_LINES_MAX
    assert len(prose(text).split()) <= README_WORDS_MAX


@OF_THE_README
def test_links_point_somewhere(path: Path) -> None:
    for link in LINK.findall(prose(path.read_text())):
        name, _, anchor = link.partition("#")
        if name.startswith(("http://", "https://")):
            continue
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@OF_THE_README
def test_files_that_are_named_exist(path: Path) -> None:
    by_hand = PART.sub("", prose(path.read_text()))
    above = [folder for folder in path.parents if folder.is_relative_to(ROOT)]
    for name in FILE.findall(by_hand):
        assert any((folder / name).exists() for folder in above), name


@OF_THE_README
def test_configs_lint(path: Path) -> None:
    result = CliRunner().invoke(main, ["lint", "--deny-warnings", str(path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", ["README.md", "streamer/config/README.md"])
def test_lint_sees_the_configs(name: str, tmp_path: Path) -> None:
    spoilt = tmp_path / "README.md"
    text = (ROOT / name).read_text()
    blocks = text.count("\ntopics:")
    spoilt.write_text(text.replace("\ntopics:", "\ntopicz:"))
    result = CliRunner().invoke(main, ["lint", str(spoilt)], catch_exceptions=False)
    assert blocks >= 2
    assert (result.exit_code, result.output.count("topicz")) == (1, blocks)


def test_the_scenario_that_is_shown_runs(tmp_path: Path) -> None:
    shown = (ROOT / "tests" / "scenarios" / "README.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    scenario = tmp_path / "nulls.yaml"
    scenario.write_text(shown)
    result = CliRunner().invoke(main, ["test", str(scenario)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "2 ok, 0 failed" in result.output


@OF_THE_README
def test_metrics_that_are_named_exist(path: Path) -> None:
    named = {name.removeprefix(PREFIX) for name in re.findall(rf"\b{PREFIX}[a-z_]+\b", path.read_text())}
    assert named <= set(CATALOGUE)


def test_the_tables_of_the_config_are_whole() -> None:
    assert set(FORMS) - {"/json/pointer"} <= column("streamer/config/README.md", "signal")
    assert set(kinds()) == column("streamer/config/README.md", "`detect.kind`")
    assert set(kinds()) - {"silence", "age"} == column("detectors/README.md", "kind of `detect`")


@pytest.mark.parametrize(
    ("head", "keys"),
    [
        # The number of an internal plan is no part of the format that is shown.
        ("key", {field.alias or name for name, field in Scenario.model_fields.items()}),
        ("key of `expect`, `first`", set(Expected.model_fields)),
        ("key of `incidents`", set(Incidents.model_fields)),
        ("key of `stream`", {field.alias or name for name, field in Stream.model_fields.items()}),
        ("key of `changes`", {field.alias or name for name, field in Change.model_fields.items()}),
        ("generator", set(GENERATORS)),
    ],
    ids=["scenario", "expect", "incidents", "stream", "changes", "generator"],
)
def test_the_tables_of_the_scenario_format_are_whole(head: str, keys: set[str]) -> None:
    assert column("tests/scenarios/README.md", head) == keys
