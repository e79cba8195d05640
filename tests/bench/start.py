"""How long a worker takes from its start until it is ready: DESIGN section 5 allows three seconds.

    .venv/bin/python tests/bench/start.py [--times 5]

The first start compiles the gate's expressions into an empty folder, the others find them there, as they do after the first
start ever on a machine. Prints for each wall clock, processor time of the child and resident memory, and where the processor time
goes; ends with 1 where the median of the later ones takes more than three seconds of wall clock.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from scanner.app import rules_folder, start_of
from scanner.keys import RootKey
from scanner.model import People
from scanner.worker import Start, Worker

LIMIT_SECONDS = 3.0
STAGES = """\
import sys, time
from pathlib import Path
at = time.process_time()
def stage(name):
    global at
    print(f"    {name:40} {time.process_time() - at:5.2f} s")
    at = time.process_time()
stage("interpreter")
import scanner.worker; stage("scanner, readers of formats")
import detectors; stage("presidio, spaCy")
found = detectors.walk(); stage("detectors with their lists")
detectors._Loaded(found, None, (), Path(sys.argv[1])); stage("gate, names model")
"""


def one(start: Start) -> tuple[float, float, float]:
    """Seconds of wall clock and of the child's processor time until it is ready, and its resident megabytes."""
    with Worker(start) as worker:
        begun = time.monotonic()
        worker.ready()
        took = time.monotonic() - begun
        assert worker._process is not None
        fields = Path(f"/proc/{worker._process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return took, ticks / os.sysconf("SC_CLK_TCK"), worker._resident() / 2**20


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--times", type=int, default=5)
    times = arguments.parse_args().times
    with tempfile.TemporaryDirectory() as kept:
        plain = start_of(rules_folder(None), "base", People(), RootKey.random())
        start = msgspec.structs.replace(plain, kept_dir=str(Path(kept) / "compiled"))
        print("start        wall      CPU    resident")
        later = []
        for number in range(times + 1):
            wall, cpu, resident = one(start)
            print(f"{'first' if not number else number + 1:<8} {wall:6.2f} s {cpu:6.2f} s {resident:6.0f} MB")
            if number:
                later.append(wall)
        print("where the processor time goes, one after the other:")
        subprocess.run([sys.executable, "-c", STAGES, str(Path(kept) / "compiled")], check=True)
    median = statistics.median(later)
    print(f"median of the later starts: {median:.2f} s, allowed {LIMIT_SECONDS:g} s")
    return int(median > LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
