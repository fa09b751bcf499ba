"""The command line. Each verb is one entry of VERBS and is imported only when it is called."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Nothing here multiplies matrices. Without this numpy's BLAS starts a thread per core, which spins at first.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

VERBS: dict[str, tuple[str, str]] = {
    # verb -> (module:function, help line); the line stands here so that --help imports nothing.
    "run": ("streamer.commands.run:run", "Run the service until SIGTERM."),
    "init": ("streamer.commands.init:init", "Write a first config: the least one, or for what others log."),
    "lint": ("streamer.commands.lint:lint", "Check configs: every mistake at once, with line and column."),
    "replay": (
        "streamer.commands.replay:replay",
        "Run the engine over a file or a range of a topic; print its alerts.",
    ),
    "backtest": (
        "streamer.commands.backtest:backtest",
        "Say what a config would have told of the past, against another, with faults, by known incidents.",
    ),
    "suggest": (
        "streamer.commands.suggest:suggest",
        "Look at events and print the config to start with, and why.",
    ),
    "explain": (
        "streamer.commands.explain:explain",
        "Say of every series its tier, limits, and the smallest drift that would be found.",
    ),
    "tap": (
        "streamer.commands.tap:tap",
        "Show events as they are read, a sample: names and types of fields, and no values.",
    ),
    "detectors": ("streamer.commands.detectors:detectors", "List the kinds of detection, and the keys of one."),
    "test": ("streamer.commands.test:test", "Run scenario tests: config, stream of events, expected alerts."),
    "reference": ("streamer.commands.reference:reference", "Build, show and compare files of references."),
    "demo": ("streamer.commands.demo:demo", "See it work on an embedded broker: shift, alert, resolution."),
    "review": ("streamer.commands.review:review", "Show what people are asked to look at; write their verdicts."),
    "topics": (
        "streamer.commands.repartition:topics",  # Which adds a verb to those of `streamer.commands.topics`.
        "Plan or create the topics a config needs; move models to more partitions.",
    ),
    "top": ("streamer.commands.top:top", "Show every model, live: state, rate, lag, open incidents."),
    "probe": ("streamer.commands.probe:probe", "Ask a service whether it is live or ready, for containers."),
    "doctor": (
        "streamer.commands.doctor:doctor",
        "Check brokers, login, topics, rights and transactions: each with the fix.",
    ),
    "alerts": (
        "streamer.commands.control:alerts",  # Which adds verbs to those of `streamer.commands.alerts`.
        "Alerts as they are published: follow, list, show one; acknowledge, mute, accept, judge it.",
    ),
    "bridge": (
        "streamer.commands.bridge:bridge",
        "Tell Alertmanager, a webhook, Slack or PagerDuty of alerts, until SIGTERM.",
    ),
    "learn": ("streamer.commands.learn:learn", "What alerts have learned from verdicts: show, undo, apply."),
    "config": ("streamer.commands.config:config", "Show the effective config, or the JSON Schema for editors."),
    "completion": ("streamer.commands.completion:completion", "Complete verbs and options in bash, zsh or fish."),
    "version": ("streamer.commands.version:version", "Versions of Driftline and of what its results depend on."),
}


class Verbs(click.Group):
    """Loads a verb when it is asked for; suggests one when it is misspelt (click does that)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = VERBS.get(cmd_name)
        if entry is None:
            return None
        module, _, function = entry[0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS:
            from streamer.config.problems import did_you_mean

            ctx.fail(f"No such command {args[0]!r}.{did_you_mean(args[0], VERBS)}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The verbs by their lines here, so that Tab imports none of them."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=line) for name, (_, line) in VERBS.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


EPILOG = """\b
Examples:
  driftline demo                                   # see it work, without a broker
  driftline init --topic model-calls -o driftline.yaml
  driftline lint driftline.yaml --sample events.jsonl
  driftline run -c driftline.yaml
"""


@click.group(cls=Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Driftline: drift alerts for every model on a Kafka topic, exactly once, from one YAML file.

    First steps: driftline demo. Then a file with version, kafka.brokers and topics.events, and driftline run -c it.
    """
