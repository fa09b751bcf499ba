"""`driftline demo`: the main job on one screen, against an embedded broker or a given one."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import click

from streamer.config.load import load_text
from streamer.config.model import Config

SEED = 7
RATE = 1500  # events per second over both models
READY_WITHIN_S = 120.0
SHIFT_EVENTS = range(12_000, 18_000)  # counted in events, so that every run detects at the same one
ENOUGH_EVENTS = 33_000
"""The story is told by these, and no more are sent before it is: the mock cluster keeps 5 MB of a partition, which are
20,000 events, and a service that has little of the machine would find the oldest gone before it has read them.
"""
GIVE_UP_S = 180.0
MODELS = {"fraud": 0, "churn": 1}  # model -> partition: each model's events stay in order
SHIFT = "fraud receives amounts in another currency: features.amount x 1.5"
NOBODY = b'{"model": "fraud", "review_id": "none", "reviewer": "nobody", "verdict": "unsure"}'
"""The first verdict makes the mock cluster create the topic."""
READY = {"demo.yaml": len(MODELS), "demo_people.yaml": 12}
"""By config the partitions that a service waits for."""
ENDS = (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""What ends it as Ctrl-C does: who ends the demo, or closes its terminal, ends the service, too."""
BARS = "▁▂▃▄▅▆▇█"
EPILOG = """\b
Examples:
  driftline demo
  driftline demo --brokers localhost:9092         # on your broker
"""


NEXT = {
    "init --list": "configs to begin with; the least is a broker and a topic (README)",
    "lint driftline.yaml": "every mistake at once, with line and column",
    "replay -c driftline.yaml --input events.jsonl": "the same engine over history",
}


class Traffic:
    """Generated inference events of two models; `shifted` multiplies one feature of one of them.

    An event's time is that of its number and not of its sending, so that every run says the same, to the last digit.
    """

    def __init__(self, seed: int, begin_s: float) -> None:
        self.random = random.Random(seed)
        self.begin_s = int(begin_s)
        self.count = 0
        self.level = 0.0
        self.marked = False  # the first shifted event was sent

    def event(self, model: str, shifted: bool) -> bytes:
        time_s = round(self.begin_s + self.count / RATE, 3)
        self.count += 1
        amount = self.random.gauss(100.0, 20.0) * (1.5 if shifted and model == "fraud" else 1.0)
        if model == "fraud":
            self.level += 0.02 * (amount - self.level) if self.level else amount
        confidence = min(1.0, max(0.5, self.random.gauss(0.9, 0.05)))
        return json.dumps(
            {
                "model": model,
                "model_version": "7",
                "event_id": f"{model}-{self.count}",
                "time": time_s,
                "features": {
                    "amount": round(amount, 2),
                    "age_days": round(self.random.lognormvariate(3, 1), 1),
                    "country": self.random.choice(["NL", "DE", "FR"]),
                },
                "prediction": {"label": "yes" if self.random.random() < 0.1 else "no", "confidence": confidence},
                "latency_ms": round(self.random.gammavariate(4, 3), 2),
            }
        ).encode()


class Screen:
    """A live panel for a person, a line every two seconds for a log file."""

    def __init__(self) -> None:
        self.levels: list[float] = []
        self.live: Any = None
        self.printed_s = 0.0
        if sys.stdout.isatty():
            from rich.live import Live

            self.live = Live(refresh_per_second=8, transient=True)
            self.live.start()

    def show(self, elapsed_s: float, rate: float, level: float, phase: str) -> None:
        self.levels = [*self.levels[-59:], level]
        low, high = min(self.levels), max(self.levels)
        line = "".join(BARS[int((v - low) / max(high - low, 20.0) * 7.99)] for v in self.levels)
        text = f"{elapsed_s:5.1f} s  {rate:6,.0f} events/s  fraud amount {level:6.1f}  {line}  {phase}"
        if self.live is not None:
            self.live.update(text)
        elif elapsed_s - self.printed_s >= 2.0:
            self.printed_s = elapsed_s
            click.echo(text)

    def say(self, text: str) -> None:
        (self.live.console.print if self.live is not None else click.echo)(text)

    def close(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None


@click.command("demo", epilog=EPILOG)
@click.option("--brokers", help="Run against this broker instead of an embedded one.")
@click.option("--exit", "leave", is_flag=True, help="End after the story instead of streaming on until Ctrl-C.")
@click.option("--open/--no-open", "opens", default=None, help="Open the page; default: where a browser has a screen.")
@click.option("--people", is_flag=True, help="Another story: people look at events, and what they say is tested.")
def demo(brokers: str | None, leave: bool, opens: bool | None, people: bool) -> None:
    """Stream events of two models, shift one, and show the alert as a consumer reads it back.

    With --people: a queue of events to look at, two people who answer, and a model that becomes worse than it says.
    """
    from streamer.kafka.demo_cluster import MockCluster, Sender

    cluster = None if brokers else MockCluster()
    address = brokers or (cluster.brokers if cluster else "")
    run = f"-{os.getpid()}" if brokers else ""
    name = "demo_people.yaml" if people else "demo.yaml"
    text = resources.files("streamer.commands").joinpath(name).read_text()
    # Whoever copies a command from the page has not our environment.
    text = text.replace("${KAFKA_BROKERS}", address).replace("${DEMO_RUN:-}", run)
    config = load_text(text, name, os.environ)
    if brokers:
        _create_topics(config)
    click.echo(f"Broker: {address} ({'yours' if brokers else 'embedded: a mock cluster inside librdkafka'})")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_text(text)
        log_path = Path(folder, "service.log")
        generator = Sender(address, config.topics.events[0])
        for model, partition in MODELS.items():  # The first event makes the mock cluster create the topic.
            generator.send(partition, model, Traffic(SEED, time.time()).event(model, False))
        generator.flush()
        verdicts = Sender(address, config.verdicts.topic) if config.verdicts is not None else None
        if verdicts is not None:
            verdicts.send(0, "fraud", NOBODY)
            verdicts.flush()
        with log_path.open("wb") as log:
            service = subprocess.Popen(
                [sys.executable, "-m", "streamer", "run", "-c", str(path)],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        for number in ENDS:
            signal.signal(number, signal.default_int_handler)
        try:
            _wait_ready(log_path, service, name)
            page = f"http://{_listens(log_path)}/"
            click.echo(f"Page: {page} (of this machine only)")
            if has_screen(os.environ) if opens is None else opens:
                webbrowser.open(page)
            if people:
                from streamer.commands.demo_people import people_story

                told = people_story(config, generator, verdicts, service)
            else:
                told = _story(generator, config, service, leave)
        finally:
            service.terminate()
            code = service.wait(READY_WITHIN_S)
        said = log_path.read_text()[-2000:]
    if not told or code != 0:
        raise click.ClickException(f"the story did not come to its end (service exit code {code}):\n{said}")


def has_screen(environment: Mapping[str, str]) -> bool:
    """Whether somebody looks, and a browser would not be one in this terminal."""
    drawn = sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & environment.keys()
    return sys.stdout.isatty() and bool(drawn) and "SSH_CONNECTION" not in environment


def _wait_ready(log_path: Path, service: subprocess.Popen[bytes], name: str = "demo.yaml") -> None:
    """The service logs `partition_ready` once it owns a partition."""
    deadline_s = time.monotonic() + READY_WITHIN_S
    readme = " (the YAML of the README)" if name == "demo.yaml" else ""
    click.echo(f"Service: driftline run -c {name}{readme}; waiting for its partitions ...")
    while time.monotonic() < deadline_s and service.poll() is None:
        if log_path.read_text().count("partition_ready") >= READY[name]:
            return
        time.sleep(0.1)
    raise click.ClickException("the service did not become ready:\n" + log_path.read_text()[-2000:])


def _listens(log_path: Path) -> str:
    """Where the service listens, as it says in its first line."""
    lines = [json.loads(line) for line in log_path.read_text().splitlines() if '"event": "starting"' in line]
    return str(lines[0]["listen"])


def _create_topics(config: Config) -> None:
    """On a real broker; the mock cluster makes topics by itself."""
    from streamer.commands.broker_down import exit_unreachable
    from streamer.kafka.admin import Creation, TopicAdmin
    from streamer.port import LogDown

    try:
        failed = TopicAdmin(config, 20.0).create([Creation(name, 4, -1, {}) for name in config.topics.names()])
    except LogDown as error:
        exit_unreachable(error)
    for name, why in failed.items():
        if why is not None:
            raise click.ClickException(f"topic {name}: {why}")


def _story(generator: Any, config: Config, service: subprocess.Popen[bytes], leave: bool) -> bool:
    """Healthy traffic, the shift, its end; returns whether the alert fired and resolved."""
    from streamer.kafka.demo_cluster import read_back

    traffic, screen = Traffic(SEED, time.time()), Screen()
    alerts, begin_s = read_back(config.kafka.brokers, config.topics.alerts), time.monotonic()
    seen: dict[str, bool] = {}
    announced = ""
    try:
        for elapsed_s, due in _ticks(begin_s):
            shifted = traffic.count in SHIFT_EVENTS
            phase = "shifted" if shifted else "healthy"
            if shifted and announced == "":
                announced = "shifted"
                screen.say(f"\n{elapsed_s:5.1f} s  now shifting: {SHIFT}")
            if not shifted and announced == "shifted":
                announced = "ended"
                screen.say(f"{elapsed_s:5.1f} s  the shift ends")
            held = traffic.count >= ENOUGH_EVENTS and not seen.get("resolved")
            _send(generator, traffic, 0 if held else due)
            screen.show(elapsed_s, traffic.count / max(elapsed_s, 0.1), traffic.level, phase)
            news = next(alerts)
            if news is not None:
                _tell(screen, json.loads(news), generator, seen)
            if seen.get("resolved") or (elapsed_s > GIVE_UP_S and len(seen) < 2) or service.poll() is not None:
                if leave or len(seen) < 2:
                    break
                if not seen.get("told"):
                    seen["told"] = True
                    _next_steps(screen)
                    screen.say("Still streaming; Ctrl-C ends it.")
    except KeyboardInterrupt:
        pass
    finally:
        screen.close()
        generator.flush()
        alerts.close()
    if leave and seen.get("resolved"):
        _next_steps(screen)
    return bool(seen.get("firing") and seen.get("resolved"))


def _ticks(begin_s: float) -> Iterator[tuple[float, int]]:
    """(elapsed seconds, events due) about thirty times a second."""
    sent = 0
    while True:
        elapsed_s = time.monotonic() - begin_s
        due = int(elapsed_s * RATE) - sent
        sent += due
        yield elapsed_s, due
        time.sleep(0.03)


def _send(generator: Any, traffic: Traffic, count: int) -> None:
    for _ in range(count):
        model = "fraud" if traffic.count % 2 else "churn"
        shifted = traffic.count in SHIFT_EVENTS
        first = shifted and model == "fraud" and not traffic.marked
        traffic.marked |= first
        generator.send(MODELS[model], model, traffic.event(model, shifted), "shift" if first else None)
    generator.poll()


def _tell(screen: Screen, record: dict[str, Any], generator: Any, seen: dict[str, bool]) -> None:
    data = record["data"]
    if record["type"].startswith("io.driftline.incident."):
        return  # Incidents are in the topic, too: each alert of the demo would be told twice.
    labels = data["alert"]["labels"]
    screen.say(f"\n{data['status'].upper()}  {labels['monitor']}  {data['sentence']}")
    if labels["monitor"] != "amount-mean":
        return
    if data["status"] == "firing" and not seen.get("firing"):
        screen.say("As a separate consumer read it back from the alerts topic:")
        screen.say(json.dumps(record, indent=2))
        events = data["trigger"]["offset"] - generator.marked.get("shift", data["trigger"]["offset"]) + 1
        screen.say(f"Detection delay: {events} events of the model, {events / (RATE / 2):.2f} s of its traffic.\n")
    seen[data["status"]] = True


def _next_steps(screen: Screen) -> None:
    screen.say("\nThe replay command in the alert is this demo's: its file, and an embedded broker, end with it.")
    screen.say("Next:")
    command = "driftline" if shutil.which("driftline") else os.path.relpath(sys.argv[0])
    for words, what in NEXT.items():
        screen.say(f"  {command} {words}   {what}")
