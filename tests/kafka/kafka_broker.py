"""A real Apache Kafka (KRaft) broker, or a small cluster, on loopback for tests and benchmarks.

The broker's jars come from Maven through the plain ``mvn`` client and the ``pom.xml`` beside this
file (whatever repository or mirror that client is set up for); they are cached, so only the first
start needs the network.  Needs ``java`` (17 or newer) and, for the first start, ``mvn``.

    with KafkaBroker() as kafka:                # one combined broker + controller
        print(kafka.bootstrap)                  # 127.0.0.1:<free port>

    with KafkaBroker(nodes=3) as kafka:         # three combined nodes, RF 3, min ISR 2
        kafka.kill(1)                           # SIGKILL node 1 (loses nothing that is on disk)
        kafka.start_node(1)                     # same port, same data

    python -m tests.kafka.kafka_broker [--nodes 3] [--set key=value ...]       # runs until Ctrl-C

Everything listens on 127.0.0.1 only; the data directory is removed on exit.
Only the standard library is used.
"""
import argparse
import base64
import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Self

HOST = "127.0.0.1"
HERE = Path(__file__).resolve().parent
DEFAULT_CACHE = Path(
    os.environ.get("KAFKA_JARS_DIR")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kafka-broker-jars"
)
SMALL: dict[str, object] = {  # these are test brokers
    "auto.create.topics.enable": "false",
    "num.partitions": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 500,
    "log.cleaner.dedupe.buffer.size": 4 * 2**20,
    "log.index.size.max.bytes": 2**20,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 2,
    "num.recovery.threads.per.data.dir": 1,
}
LOG4J2 = """\
status = warn
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %-5p %c{1} %m%n%ex
rootLogger.level = info
rootLogger.appenderRef.out.ref = OUT
"""


class BrokerError(RuntimeError):
    """The broker could not be prepared, started or reached."""


def _need(program: str, why: str) -> str:
    found = shutil.which(program)
    if not found:
        raise BrokerError(f"'{program}' was not found on PATH: {why}")
    return found


def ensure_jars(cache: Path = DEFAULT_CACHE, pom: Path = HERE / "pom.xml", timeout: float = 600) -> Path:
    """Return the folder that holds the broker's jars, resolving them with mvn on first use."""
    key = hash_of(pom)
    jars = cache / key
    if (jars / ".complete").exists():
        return jars
    mvn = _need("mvn", "Maven is needed once, to resolve the Kafka jars named in pom.xml")
    cache.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=cache))  # atomic against a parallel caller
    try:
        _resolve(mvn, pom, work, timeout)
        work.rename(jars)
    except subprocess.TimeoutExpired:
        raise BrokerError(f"mvn did not finish within {timeout:.0f} s") from None
    except OSError:
        if not (jars / ".complete").exists():  # else another process finished first
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return jars


def _resolve(mvn: str, pom: Path, work: Path, timeout: float) -> None:
    command = [mvn, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={work}", "-DincludeScope=runtime"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout)
    if done.returncode or not list(work.glob("kafka_2.13-*.jar")):
        said = (done.stdout + done.stderr)[-2000:]
        raise BrokerError(f"mvn could not resolve the Kafka jars (exit {done.returncode}):\n{said}")
    (work / ".complete").touch()


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def api_versions_ok(port: int, timeout: float = 1.0) -> bool:
    """One ApiVersions v0 round trip: the broker answers requests, not only accepts a connection."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with socket.create_connection((HOST, port), timeout=timeout) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            head = connection.recv(10, socket.MSG_WAITALL)
            return len(head) == 10 and head[8:] == b"\0\0"
    except OSError:
        return False


def _die_with_parent() -> None:
    """In the child: SIGKILL when the starting thread ends (Linux), so no JVM outlives a killed test run."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)


def sweep_stale(prefix: str = "kafka-broker.") -> None:
    """Remove data of earlier runs that were killed before they could clean up (their owner is gone)."""
    for home in Path(tempfile.gettempdir()).glob(prefix + "*"):
        try:
            owner = int((home / "owner.pid").read_text())
            os.kill(owner, 0)
        except ProcessLookupError:
            shutil.rmtree(home, ignore_errors=True)
        except (OSError, ValueError):
            pass  # not ours, or no word of its owner: leave it


class Node:
    def __init__(self, number: int, port: int, controller_port: int, home: Path) -> None:
        self.number, self.port, self.controller_port, self.home = number, port, controller_port, home
        self._process: subprocess.Popen[bytes] | None = None
        self.log_from = 0

    @property
    def log_file(self) -> Path:
        return self.home / "server.log"

    @property
    def config_file(self) -> Path:
        return self.home / "server.properties"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"node {self.number} was never started"
        return self._process

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self, command: list[str], *, die_with_parent: bool) -> None:
        with self.log_file.open("ab") as log:
            self.log_from = log.tell()
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.home,
                start_new_session=True,
                preexec_fn=_die_with_parent if die_with_parent else None,  # noqa: PLW1509 (no threads yet)
            )

    @property
    def started(self) -> bool:
        """It has said so since its launch (it is then registered and unfenced) and answers a request."""
        with self.log_file.open("rb") as log:
            log.seek(self.log_from)
            return b"Kafka Server started" in log.read() and api_versions_ok(self.port)

    def log_tail(self, size: int = 3000) -> str:
        return self.log_file.read_text(errors="replace")[-size:] if self.log_file.exists() else "(no log)"


class KafkaBroker:
    """Context manager for `nodes` combined broker+controller nodes on free loopback ports."""

    def __init__(
        self,
        nodes: int = 1,
        *,
        properties: Mapping[str, object] | None = None,
        heap_mb: int = 384,
        jars_cache: Path = DEFAULT_CACHE,
        ready_timeout: float = 60.0,
        die_with_parent: bool = True,
        quick_jit: bool = True,
    ) -> None:
        self.count, self.properties, self.heap_mb = nodes, dict(properties or {}), heap_mb
        self.jars_cache, self.ready_timeout, self.die_with_parent = jars_cache, ready_timeout, die_with_parent
        self.quick_jit = quick_jit  # C1 only: faster start, lower peak speed
        self.nodes: dict[int, Node] = {}
        self.java, self.jars, self.home = "", Path(), Path()

    # -- life cycle ---------------------------------------------------------------------------
    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{HOST}:{node.port}" for node in self.nodes.values())

    def start(self) -> None:
        self.java = _need("java", "Kafka 4 needs a Java 17 (or newer) runtime")
        self.jars = ensure_jars(self.jars_cache)
        sweep_stale()
        self.home = Path(tempfile.mkdtemp(prefix="kafka-broker."))
        (self.home / "owner.pid").write_text(str(os.getpid()))
        (self.home / "log4j2.properties").write_text(LOG4J2)
        ports = free_ports(2 * self.count)
        for i in range(self.count):
            self.nodes[i] = Node(i, ports[2 * i], ports[2 * i + 1], self.home / f"node{i}")
            self.nodes[i].home.mkdir()
        for node in self.nodes.values():
            self._write_config(node)
        self._format_all()
        for i in self.nodes:
            self.start_node(i, wait=False)
        for i in self.nodes:
            self.wait_ready(i)

    def close(self) -> None:
        running = [node for node in self.nodes.values() if node.running]
        for node in running:  # the data is thrown away, so no graceful shutdown is needed
            node.process.kill()
        for node in running:
            node.process.wait(10)
        if self.nodes:
            shutil.rmtree(self.home, ignore_errors=True)
        self.nodes = {}

    # -- one node -----------------------------------------------------------------------------
    def start_node(self, number: int, *, wait: bool = True) -> None:
        node = self.nodes[number]
        if not node.running:
            command = self._java("kafka.Kafka", str(node.config_file))
            node.launch(command, die_with_parent=self.die_with_parent)
        if wait:
            self.wait_ready(number)

    def wait_ready(self, number: int) -> None:
        node = self.nodes[number]
        until = time.monotonic() + self.ready_timeout
        while time.monotonic() < until:
            if not node.running:
                raise BrokerError(f"node {number} ended with {node.process.returncode}:\n{node.log_tail()}")
            if node.started:
                return
            time.sleep(0.05)
        raise BrokerError(f"node {number} was not ready in {self.ready_timeout} s:\n{node.log_tail()}")

    def kill(self, number: int) -> None:
        """SIGKILL; the data stays for start_node."""
        self.nodes[number].process.kill()
        self.nodes[number].process.wait(10)

    def stop(self, number: int, timeout: float = 30) -> None:
        """SIGTERM: a controlled shutdown."""
        self.nodes[number].process.terminate()
        self.nodes[number].process.wait(timeout)

    def pause(self, number: int) -> None:
        self.nodes[number].process.send_signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        self.nodes[number].process.send_signal(signal.SIGCONT)

    # -- inside -------------------------------------------------------------------------------
    def _java(self, main: str, *args: str, heap_mb: int | None = None) -> list[str]:
        heap_mb = heap_mb or self.heap_mb
        return [
            self.java,
            f"-Xms{min(heap_mb, 128)}m",
            f"-Xmx{heap_mb}m",
            "-XX:+UseSerialGC",
            "-Xshare:auto",
            *(["-XX:TieredStopAtLevel=1"] if self.quick_jit else []),
            "-Djava.awt.headless=true",
            "-Djava.net.preferIPv4Stack=true",
            f"-Dlog4j2.configurationFile={self.home / 'log4j2.properties'}",
            *("-cp", f"{self.jars}/*", main, *args),
        ]

    def _write_config(self, node: Node) -> None:
        lines = {**SMALL, **self._replication(), **self._addresses(node), **self.properties}
        node.config_file.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    def _addresses(self, node: Node) -> dict[str, object]:
        voters = (f"{each.number}@{HOST}:{each.controller_port}" for each in self.nodes.values())
        return {
            "process.roles": "broker,controller",
            "node.id": node.number,
            "listeners": f"PLAINTEXT://{HOST}:{node.port},CONTROLLER://{HOST}:{node.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{node.port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.quorum.voters": ",".join(voters),
            "log.dirs": node.home / "data",
        }

    def _replication(self) -> dict[str, object]:
        factor, in_sync = min(self.count, 3), (2 if self.count >= 3 else 1)
        return {
            "default.replication.factor": factor,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": factor,
            "transaction.state.log.replication.factor": factor,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.replication.factor": factor,
            "share.coordinator.state.topic.min.isr": in_sync,
        }

    def _format_all(self) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = ("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c")
        formatting = [
            subprocess.Popen(
                self._java(*arguments, str(node.config_file), heap_mb=128),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
            )
            for node in self.nodes.values()
        ]
        for process in formatting:
            self._await_format(process)

    def _await_format(self, process: subprocess.Popen[str]) -> None:
        try:
            output, _ = process.communicate(timeout=self.ready_timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise BrokerError(f"formatting took over {self.ready_timeout} s") from None
        if process.returncode:
            raise BrokerError(f"formatting failed ({process.returncode}):\n{output[-2000:]}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run Apache Kafka (KRaft) on 127.0.0.1 until Ctrl-C.")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--heap-mb", type=int, default=384)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--full-jit", action="store_true", help="slower start, higher peak speed")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    properties = dict(each.split("=", 1) for each in asked.set)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    options = {"heap_mb": asked.heap_mb, "quick_jit": not asked.full_jit, "properties": properties}
    with KafkaBroker(asked.nodes, **options) as kafka:
        print(f"bootstrap={kafka.bootstrap}", flush=True)
        while all(node.running for node in kafka.nodes.values()):
            time.sleep(0.5)
        raise BrokerError("a node ended")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
