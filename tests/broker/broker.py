"""Apache Kafka from its Maven jars: one KRaft node on free ports of this machine, for tests and `make kafka`.

The jars are fetched once (pinned pom) into the user's cache; each node has a fresh data directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
JAVA_LEAST = 17
START_S = 120.0
HEAP = ["-Xms192m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]


def missing_tools() -> str | None:
    """What this machine lacks to run a broker, or None."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    text = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', text)
    if found is None or int(found[1]) < JAVA_LEAST:
        return f"Java {JAVA_LEAST} or newer is needed"
    return None


def jars() -> Path:
    """The folder of jars; fetched with Maven when this pom was not fetched before."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "driftline"
    folder = cache / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache) as fresh:
                command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
                command += [f"-DoutputDirectory={fresh}/jars", "-DincludeScope=runtime"]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                Path(fresh, "jars").rename(folder)
    return folder


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


PORT_TRIES = 5


class Broker:
    """One combined broker and controller. Use as a context manager."""

    def __init__(self, port: int | None = None, more: Callable[[Path], Mapping[str, str]] | None = None) -> None:
        """`more` is given the node's folder and says which of its properties are others, or further ones."""
        self.folder = Path(tempfile.mkdtemp(prefix="driftline-kafka-"))
        ports = free_ports(2)
        self.port = port or ports[0]
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.log = self.folder / "broker.log"
        self.log.touch()
        text = (HERE / "server.properties").read_text()
        values = {"PORT": str(self.port), "CONTROLLER": str(ports[1]), "DATA": str(self.folder / "data")}
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        properties = dict(line.split("=", 1) for line in text.splitlines())
        for name, value in (more(self.folder) if more is not None else {}).items():
            # A value that begins with a comma goes on where the one of before ends.
            properties[name] = properties.get(name, "") * value.startswith(",") + value
        text = "".join(f"{name}={value}\n" for name, value in properties.items())
        self.properties = self.folder / "server.properties"
        self.properties.write_text(text)
        self.process: subprocess.Popen[bytes] | None = None
        self._format()

    def _format(self) -> None:
        """Make the data folder. It is kept, for it takes a Java of its own; there is no more in it than a number."""
        kept, data = jars().with_name(f"{jars().name}-formatted"), self.folder / "data"
        if kept.exists():
            shutil.copytree(kept, data)
            return
        tool = ("kafka.tools.StorageTool", "format", "-t", "ZHJpZnRsaW5ldGVzdGJrcg", "-c", str(self.properties))
        if self._java(*tool).wait() != 0:
            raise RuntimeError(f"the data folder was not made; its log ends with\n{self.log.read_text()[-3000:]}")
        with tempfile.TemporaryDirectory(dir=kept.parent) as fresh, contextlib.suppress(OSError):
            shutil.copytree(data, f"{fresh}/data")
            Path(fresh, "data").rename(kept)  # Or another process was here first.

    def _java(self, *arguments: str) -> subprocess.Popen[bytes]:
        logging = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
        command = ["java", *HEAP, logging, "-cp", f"{jars()}/*", *arguments]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder)

    def start(self) -> Broker:
        """Start, and wait until it answers."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        deadline_s = time.monotonic() + START_S
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        for _ in range(PORT_TRIES):
            begin = self.log.stat().st_size
            self.process = self._java("kafka.Kafka", str(self.properties))
            while time.monotonic() < deadline_s and self.process.poll() is None:
                with contextlib.suppress(KafkaException):
                    admin.list_topics(timeout=1)
                    return self
            # A port that was free may have become somebody's own end of a connection, which is over soon.
            if b"Address already in use" not in self.log.read_bytes()[begin:]:
                break
            time.sleep(1.0)
        raise RuntimeError(f"the broker did not start; its log ends with\n{self.log.read_text()[-3000:]}")

    def send(self, number: signal.Signals) -> None:
        """SIGSTOP pauses it, SIGCONT resumes, SIGKILL is a crash."""
        assert self.process is not None
        self.process.send_signal(number)
        if number == signal.SIGSTOP:  # Its threads stand still a little later, and one of them may answer meanwhile.
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def crash(self) -> None:
        """SIGKILL; what it had written is there when it is started again."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Broker:
        return self.start()

    def __exit__(self, *details: object) -> None:
        self.stop()


def limit_writes(bootstrap: str, client_id: str, bytes_per_s: int) -> None:
    """A quota on what clients of this id produce; librdkafka's admin client has no call for it."""
    where = ["--bootstrap-server", bootstrap, "--entity-type", "clients", "--entity-name", client_id]
    change = ["--alter", "--add-config", f"producer_byte_rate={bytes_per_s}"]
    command = ["java", *HEAP, "-cp", f"{jars()}/*", "kafka.admin.ConfigCommand", *where, *change]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def running_broker(address: str | None = None) -> Iterator[str]:
    """Bootstrap address of the given broker, or of one started for the length of the context."""
    if address:
        yield address
        return
    with Broker() as broker:
        yield broker.bootstrap


def main() -> None:
    """`make kafka`: the tests' broker in the foreground, on a port one can remember."""
    missing = missing_tools()
    if missing:
        sys.exit(f"cannot start a broker here: {missing}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # Leaves the context below, which stops the broker.
    with Broker(int(os.environ.get("KAFKA_PORT", "9092"))) as broker:
        print(f"Apache Kafka at {broker.bootstrap}; its log is {broker.log}. Ctrl-C stops it.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            assert broker.process is not None
            broker.process.wait()


if __name__ == "__main__":
    main()
