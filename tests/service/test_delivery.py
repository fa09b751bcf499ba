"""POSTs to a receiver that answers, refuses, hangs, hangs up, leads elsewhere, or is not there."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import suppress

import pytest

from streamer.bridges.answers import Answer
from streamer.service.delivery import Client
from tests.broker.broker import free_ports
from tests.service.receiver import Receiver, Say
from tests.waiting import PATIENCE_S, until

SECRET = "correct-horse-7"


def post(receiver: Receiver | str, timeout_s: float = PATIENCE_S) -> Answer:
    url = receiver if isinstance(receiver, str) else receiver.url
    return Client(timeout_s).post(
        f"{url}/a/{SECRET}?b=c", b"body", {"Content-Type": "x/y", "Authorization": "Bearer z"}
    )


def test_what_is_sent_arrives_as_it_is() -> None:
    with Receiver(Say(202, b"taken\r\n  by us")) as receiver:
        assert post(receiver) == Answer(202, "taken by us")
    [sent] = receiver.sent
    assert (sent.path, sent.body) == (f"/a/{SECRET}?b=c", b"body")
    assert {name: sent.headers[name] for name in ("Content-Type", "Authorization")} == {
        "Content-Type": "x/y",
        "Authorization": "Bearer z",
    }
    assert sent.headers["User-Agent"].startswith("driftline/")


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_a_refusal_is_an_answer(status: int) -> None:
    with Receiver(Say(status, b"no" * 500, (("Retry-After", "17"),))) as receiver:
        answer = post(receiver)
    assert (answer.status, answer.retry_after, answer.words) == (status, "17", ("no" * 500)[:200])


def test_a_redirect_is_not_followed() -> None:
    with Receiver() as elsewhere, Receiver(Say(302, b"", (("Location", elsewhere.url),))) as receiver:
        assert post(receiver).status == 302
    assert elsewhere.sent == []


def test_no_answer_is_waited_for_in_vain() -> None:
    never = threading.Event()
    with Receiver(Say(wait=never), Say(hang_up=True)) as receiver:
        assert post(receiver, 0.2) == Answer(0, "no answer within 0.2 s")
        answer = post(receiver)
        never.set()
    assert (answer.status, answer.words) == (0, "RemoteDisconnected")


def test_nobody_there_is_an_answer_that_holds_no_address() -> None:
    [port] = free_ports(1)
    assert post(f"http://127.0.0.1:{port}") == Answer(0, "Connection refused")
    unknown = post("http://no-such-host.invalid")
    assert unknown.status == 0
    assert SECRET not in unknown.words
    assert post("***") == Answer(0, "this is no address that can be called")


def test_a_certificate_that_nobody_knows_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def babble() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1000)
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        thread = threading.Thread(target=babble, daemon=True)
        thread.start()
        answer = post(f"https://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert answer.status == 0
    assert answer.words.startswith("TLS: ")


def test_certificates_that_are_not_there_are_said_at_the_start() -> None:
    with pytest.raises((OSError, ssl.SSLError)):
        Client(1.0, "no-such-file.pem")


def test_an_answer_that_never_ends_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            with suppress(OSError):  # It is closed, and that is the end.
                while True:
                    client, _ = listener.accept()
                    with client, suppress(OSError):  # It was left, which is what we wait for.
                        client.recv(1000)
                        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                        while True:
                            client.sendall(b"x")
                            time.sleep(0.02)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        # A busy machine may take longer than that to begin one.
        until(lambda: post(f"http://127.0.0.1:{listener.getsockname()[1]}", 0.3).status == 200)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_what_is_asked_for_is_got_whole() -> None:
    with Receiver() as receiver:
        answer, body = Client(PATIENCE_S).get(f"{receiver.url}/x", {})
    assert (answer.status, body) == (200, b"x" * 100_000)
    [port] = free_ports(1)
    assert Client(PATIENCE_S).get(f"http://127.0.0.1:{port}", {}) == (Answer(0, "Connection refused"), b"")
