"""What the measuring commands of perf/ share: the servers side by side, the load, the clock of a process, tables.

    ours, Redis 7.0.15, the newest Valkey at hand, the null server: all run at once, one is loaded at a time, round after round

Used by all commands of perf/. What always holds: figures that are compared come from one run;
CPU time is that of the server process with all its threads (user + system, /proc/PID/stat); a figure is the median of its rounds.
"""

import contextlib
import datetime
import fcntl
import itertools
import os
import platform
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "perf/results"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
KEY_COUNT = 1_000_000
VALUE_BYTES = 64
CLIENTS = 50


def say(text):
    print(text, flush=True)


def peers():
    """The paths that tests/peers/install found, overridden by variables of the same names."""
    directory = Path(os.environ.get("STARLING_PEERS", ROOT / "target/peers"))
    paths = {}
    if (directory / "env").exists():
        paths = dict(line.split("=", 1) for line in (directory / "env").read_text().splitlines() if "=" in line)
    for name in list(paths) + ["REDIS_SERVER", "VALKEY_SERVER", "VALKEY_NEWEST", "REDIS_BENCHMARK"]:
        if os.environ.get(name):
            paths[name] = os.environ[name]
    # A Valkey named by the caller wins over the one that was built, which wins over the packaged one.
    paths["VALKEY"] = os.environ.get("VALKEY_SERVER") or paths.get("VALKEY_NEWEST") or paths.get("VALKEY_SERVER")
    if not paths.get("REDIS_SERVER"):
        sys.exit("perf: no peers; run tests/peers/install --newest-valkey first")
    return paths


def build():
    """Builds the release server and the null server; a STARLING_BIN is taken as it is."""
    say("perf: building (release)")
    status = subprocess.run(["cargo", "build", "--release", "--quiet", "--bins", "--example", "null_server"], cwd=ROOT, check=False)
    if status.returncode != 0:
        sys.exit("perf: the build failed")


def free_port():
    for _ in range(1000):
        port = random.randrange(29_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    sys.exit("perf: no free port")


class Client:
    """A blocking RESP2 client for commands with short replies."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def run(self, *words):
        self.socket.sendall(encode(words))
        return self.reply()

    def reply(self):
        line = self.reader.readline()
        kind, rest = line[:1], line[1:].strip()
        if kind == b"$" and int(rest) >= 0:
            return self.reader.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if not line:
            raise ConnectionError("the server closed the connection")
        return rest.decode() if kind in b"+-:" else None

    def info(self, field):
        found = re.search(rf"^{field}:(.*?)\r?$", self.run("INFO"), re.MULTILINE)
        return found.group(1) if found else None


def encode(words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


class Server:
    """A running server: its process, its port, its clock and its memory."""

    def __init__(self, name, command, port, ready=True):
        self.name, self.port = name, port
        self.directory = tempfile.mkdtemp(prefix="starling-perf-")
        self.log = open(os.path.join(self.directory, "log"), "wb")
        self.process = subprocess.Popen(command, cwd=self.directory, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid
        deadline = time.monotonic() + 20
        while True:
            if self.process.poll() is not None:
                sys.exit(f"perf: {name} ended at start:\n" + Path(self.log.name).read_text(errors="replace")[-2000:])
            try:
                if not ready or Client(port).run("PING") == "PONG":
                    break
            except OSError:
                pass
            if time.monotonic() > deadline:
                sys.exit(f"perf: {name} does not answer")
            time.sleep(0.05)

    def client(self):
        return Client(self.port)

    def cpu_seconds(self):
        """User and system time of the process so far, all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def rss_bytes(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text()).group(1)) * 1024

    def shared_out_bytes(self):
        """Memory of the process and its children (a fork shares pages with its parent: each page counts once)."""
        total = 0
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in [self.pid] + children:
            try:
                total += int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE).group(1)) * 1024
            except (OSError, AttributeError):
                pass  # a child that has just ended
        return total

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


COMMON = ["--save", "", "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0", "--protected-mode", "no"]


def start(kind, threads=1, extra=()):
    """Starts `starling`, `redis`, `valkey`, `null-ok` or `null-value`."""
    port, paths = free_port(), peers()
    own = ["--port", str(port), *COMMON, *extra]
    if kind == "starling":
        binary = os.environ.get("STARLING_BIN", str(ROOT / "target/release/starling-server"))
        return Server(f"Starling ({threads} worker{'s' if threads > 1 else ''})", [binary, *own, "--threads", str(threads)], port)
    if kind == "redis":
        return Server(version(paths["REDIS_SERVER"]), [paths["REDIS_SERVER"], *own, "--appendonly", "no"], port)
    if kind == "valkey":
        return Server(version(paths["VALKEY"]), [paths["VALKEY"], *own, "--appendonly", "no"], port)
    if kind in ("null-ok", "null-value"):
        return Server("null server (floor)", [str(ROOT / "target/release/examples/null_server"), str(port), kind[5:]], port, ready=False)
    sys.exit(f"perf: no server kind {kind}")


def version(binary):
    text = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\w+) server v=([\d.]+)", text)
    return f"{found.group(1)} {found.group(2)}" if found else os.path.basename(binary)


def benchmark(server, test, pipeline, requests, threads=1):
    """Runs redis-benchmark; returns (requests per second, CPU microseconds of the server per request, p99 in milliseconds)."""
    command = [peers()["REDIS_BENCHMARK"], "-h", "127.0.0.1", "-p", str(server.port), "-c", str(CLIENTS), "-d", str(VALUE_BYTES),
               "-r", str(KEY_COUNT), "-n", str(requests), "-P", str(pipeline), "-t", test, "--csv"]
    if threads > 1:
        command += ["--threads", str(threads)]
    before = server.cpu_seconds()
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    cpu = server.cpu_seconds() - before
    row = next((line for line in output.splitlines() if line.lower().startswith(f'"{test}"')), None)
    if row is None:
        sys.exit(f"perf: redis-benchmark against {server.name} said:\n{output}")
    cells = [cell.strip('"') for cell in row.split(",")]
    return float(cells[1]), cpu * 1e6 / requests, float(cells[6])


@contextlib.contextmanager
def alone():
    """While a round runs, holds the files that PERF_LOCKS names (separated by colons), for a machine that several measure on."""
    with contextlib.ExitStack() as stack:
        for path in filter(None, os.environ.get("PERF_LOCKS", "").split(":")):
            fcntl.flock(stack.enter_context(open(path, "a")), fcntl.LOCK_EX)
        yield


def load(server, words, pipeline, requests, key_count=KEY_COUNT):
    """Sends one command again and again, `__rand_int__` in it replaced; returns (requests per second, CPU microseconds per request)."""
    command = [peers()["REDIS_BENCHMARK"], "-h", "127.0.0.1", "-p", str(server.port), "-c", str(CLIENTS), "-r", str(key_count),
               "-n", str(requests), "-P", str(pipeline), "--csv", *words]
    before = server.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    cpu = server.cpu_seconds() - before
    rows = [line for line in done.stdout.splitlines() if line.startswith('"') and not line.startswith('"test"')]
    if len(rows) != 1 or "rror" in done.stdout + done.stderr:
        sys.exit(f"perf: redis-benchmark against {server.name} said:\n{done.stdout}{done.stderr}")
    # The command stands in the first cell and may hold commas; the figures are the last seven cells.
    return float(rows[0].split(",")[-7].strip('"')), cpu * 1e6 / requests


def send_all(server, commands, batch=500):
    """Sends commands (tuples of words) in pipelines; an error reply ends the run."""
    client, commands = server.client(), iter(commands)
    while part := list(itertools.islice(commands, batch)):
        client.socket.sendall(b"".join(encode(words) for words in part))
        for words in part:
            line = client.reader.readline()
            if line[:1] == b"$":
                client.reader.readline()
            elif line[:1] not in b":+":
                sys.exit(f"perf: {server.name} answered {line} to {words}")


def fill(server, count, value_bytes, key_format="%016d"):
    """Writes `count` different keys with values of `value_bytes`, in pipelines."""
    client, batch = server.client(), 2000
    for first in range(0, count, batch):
        numbers = range(first, min(first + batch, count))
        value = b"%0*d" % (value_bytes, random.randrange(10**15))
        client.socket.sendall(b"".join(encode((b"SET", key_format.encode() % number, value)) for number in numbers))
        for _ in numbers:
            client.reader.readline()


def median(values):
    return statistics.median(values)


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def report(name, title, body):
    """Prints a report and keeps it as perf/results/NAME.md with date and machine."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1)) // 1024 // 1024
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    machine = f"{os.cpu_count()} cores of {cpu.group(1) if cpu else platform.machine()}, {memory} GiB, Linux {platform.release()}"
    text = f"# {title}\n\n{datetime.date.today()}, commit {commit}, {machine}.\n\n{body}\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text)
    say("\n" + text)
    say(f"perf: written to perf/results/{name}.md")
