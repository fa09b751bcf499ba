"""What somebody does on the page: a command or a verdict, written to its topic as the verbs write it. What became of it
is told by the service on the alerts topic, and by nobody before.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import orjson

from streamer.alerts.commands import command_record
from streamer.config.model import Config
from streamer.config.units import parse_duration
from streamer.port import LogDown
from streamer.review.open_items import Unwritable, verdict_record
from streamer.service.board import Board
from streamer.signals.verdicts import ALERT, ITEM, NOT_USEFUL, REASONS, plain

COMMANDS = ("ack", "unack", "mute", "unmute", "accept")
TEXT_MAX = 500
"""Characters of who and why."""
WAIT_S = 5.0

Record = tuple[str, tuple[Any, ...]]
Writes = Callable[..., tuple[int, int]]


class Refused(ValueError):
    """Says what is missing, to whoever filled in the form."""


class Acts:
    def __init__(self, current: Callable[[], Config], write: Writes, new_id: Callable[[], str]) -> None:
        self._current, self._write, self._new_id = current, write, new_id

    def kinds(self) -> dict[str, Any]:
        """What there are buttons for, and why an alert may have been of no use, in words."""
        config = self._current()
        may = config.server.control
        return {
            "commands": may and config.control is not None,
            "verdicts": may and config.verdicts is not None,
            "reasons": REASONS,
        }

    def act(self, body: bytes, board: Board, now_ms: int) -> tuple[int, bytes]:
        """Status, and what is said: the id by which a command is answered, and where it stands."""
        try:
            said = texts_of(body)
            topic, record = self._record(said, board, now_ms)
            partition, offset = self._write(self._current(), topic, *record, wait_s=WAIT_S)
        except (Refused, Unwritable) as error:
            return told(400, error=str(error))
        except LogDown as down:
            return told(503, error=str(down))
        return told(202, id=said.get("id"), where=f"{topic}[{partition}]@{offset}")

    def _record(self, said: dict[str, str], board: Board, now_ms: int) -> Record:
        """Its topic, and the record without it."""
        config, what, kinds = self._current(), plain(said["do"]), self.kinds()
        if what in COMMANDS and kinds["commands"] and config.control is not None:
            said["id"] = self._new_id()
            given = {"alert": said.get("alert", "")}
            if what == "mute":
                given["for"] = lasting(said.get("for", ""))
            who = said["by"], needed(said, "why", "say why: whoever looks at the alert reads it")
            return str(config.control.topic), command_record(
                said["id"], what, model_of(board, said), *who, now_ms / 1000, **given
            )
        word = ITEM.get(what) if "item" in said else ALERT.get(what)
        if word is None or not kinds["verdicts"] or config.verdicts is None:
            raise Refused("the config takes nothing of this kind")
        about = {"review_id": said["item"]} if "item" in said else {"alert_id": said.get("alert", "")}
        verdict = {"model": model_of(board, said), **about, "reviewer": said["by"], "verdict": word}
        if word == NOT_USEFUL:
            verdict["reason"] = needed(said, "reason", "say why it was of no use")
            if verdict["reason"] not in REASONS:
                raise Refused(f"why it was of no use is one of {', '.join(REASONS)}")
        return str(config.verdicts.topic), verdict_record(config, verdict, now_ms)


def texts_of(body: bytes) -> dict[str, str]:
    """What was sent, without blanks around it; empty texts are left out."""
    try:
        found = orjson.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise Refused("a JSON object of texts is wanted")
    texts = {name: text.strip() for name, text in found.items() if text.strip()}
    if any(len(text) > TEXT_MAX or not text.isprintable() for text in texts.values()):
        raise Refused(f"a text is one line of at most {TEXT_MAX} characters")
    needed(texts, "do", "say what is to be done")
    needed(texts, "by", "say who you are")
    return texts


def needed(texts: dict[str, str], name: str, words: str) -> str:
    if name not in texts:
        raise Refused(words)
    return texts[name]


def lasting(text: str) -> str:
    try:
        parse_duration(text)
    except ValueError:
        raise Refused("say for how long: 30m, 4h, 7d") from None
    return text


def model_of(board: Board, said: dict[str, str]) -> str:
    """Of the alert or the item, as it was published."""
    if "item" in said:
        item = board.items.get(said["item"])
        if item is not None:
            return str(item["model"])
    elif (alert := board.alerts.find(said.get("alert", ""))) is not None and "model" in alert["labels"]:
        return str(alert["labels"]["model"])
    raise Refused("it is not known here, or no longer")


def told(status: int, **what: str | None) -> tuple[int, bytes]:
    return status, orjson.dumps(what)


def acts_of(current: Callable[[], Config]) -> Acts:
    def write(*given: Any, **more: Any) -> tuple[int, int]:
        from streamer.kafka.one_record import send

        return send(*given, **more)

    return Acts(current, write, lambda: uuid.uuid4().hex)
