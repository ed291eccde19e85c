"""``--scheduler``: a real cluster of two workers, one of which is killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

distributed = pytest.importorskip("distributed")

#: Seconds that starting, or a run, may take.
PATIENCE = 120


def heor(*arguments: str, expected: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "heor", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == expected, done.stderr
    return done


def start(module: str, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments]
        return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)


def wait_for(path: Path, words: str) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        text = path.read_text() if path.exists() else ""
        if words in text:
            return text
        time.sleep(0.1)
    raise AssertionError(f"{path} never said {words!r}: {text}")


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Address of a scheduler and its two workers, each a process of one thread."""
    folder = tmp_path_factory.mktemp("cluster")
    told = folder / "scheduler.json"
    quiet = ("--no-dashboard",)
    scheduler = start(
        "dask_scheduler",
        *("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(told)),
        *quiet,
        log=folder / "scheduler.log",
    )
    processes = [scheduler]
    try:
        address = json.loads(wait_for(told, "address"))["address"]
        for number in (1, 2):
            local = ("--local-directory", str(folder / f"worker{number}"))
            options = (address, "--nthreads", "1", "--no-nanny", *quiet, *local)
            processes.append(start("dask_worker", *options, log=folder / f"worker{number}.log"))
        for number in (1, 2):
            wait_for(folder / f"worker{number}.log", "Registered to")
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_scenarios_are_the_same_bytes(cluster):
    address, _ = cluster
    there = heor("scenarios", "--json", "--scheduler", address)
    assert there.stdout == heor("scenarios", "--json").stdout


def test_a_worker_is_killed_and_nothing_is_lost(cluster):
    """Same bytes as on this machine, though one of two workers dies in the middle."""
    address, workers = cluster
    command = [sys.executable, "-m", "heor", "psa", "--draws", "6000", "--json"]
    running = subprocess.Popen(
        [*command, "--scheduler", address], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    with distributed.Client(address, set_as_default=False) as watcher:
        end = time.monotonic() + PATIENCE
        while sum(map(len, watcher.has_what().values())) < 3 and time.monotonic() < end:
            time.sleep(0.05)
    alive = running.poll() is None
    os.kill(workers[1].pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    there, _ = running.communicate(timeout=PATIENCE)
    assert alive, "the run was over before a worker could be killed"
    assert running.returncode == 0
    assert there == heor("psa", "--draws", "6000", "--json").stdout


def test_nobody_there_is_a_clear_message():
    done = heor("psa", "--draws", "10", "--scheduler", "tcp://127.0.0.1:1", expected=2)
    assert done.stderr.startswith("Error: no scheduler answers at tcp://127.0.0.1:1;")
