"""The walls round a worker, looked at from inside; each is put up in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scanner.sandbox import PrivateFolder

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the walls are Linux's own")


def inside(tmp_path: Path, code: str) -> str:
    """What the code prints as the last line, walled in. A wall that this kernel refuses is a skip that names it."""
    (tmp_path / "own").mkdir()
    (tmp_path / "outside").write_text("kept")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from scanner.sandbox import enclose\n"
        "walls = {wall.keeps_out: wall for wall in enclose(sys.argv[2])}\n"
        "print([wall.keeps_out + ' ' + wall.note for wall in walls.values() if not wall.stands])\n" + code
    )
    done = subprocess.run(
        [sys.executable, "-I", "-u", "-c", program, str(ROOT), str(tmp_path / "own"), str(tmp_path / "outside")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = done.stdout.strip().split("\n")
    if lines[0] != "[]":
        pytest.skip(f"walls that do not stand on this system: {lines[0]}")
    assert done.returncode == 0, f"status {done.returncode} {done.stderr}"
    return lines[-1]


def test_work_goes_on_behind_the_walls(tmp_path: Path) -> None:
    code = (
        "import threading, tempfile\n"
        "seen = []\n"
        "thread = threading.Thread(target=seen.append, args=(1,)); thread.start(); thread.join()\n"
        "file = tempfile.TemporaryFile(dir=sys.argv[2]); file.write(b'x')\n"
        "print(seen, len(open(sys.argv[1] + '/pyproject.toml').read()) > 10)"
    )
    assert inside(tmp_path, code) == "[1] True"


@pytest.mark.parametrize(
    "act",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9), 1)",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.fork()",
        "import os; os.execv('/bin/true', ['true'])",
        "open(sys.argv[1] + '/written-by-a-test', 'w')",
        "import os; os.mkdir(sys.argv[1] + '/made-by-a-test')",
        "import os; os.unlink(sys.argv[1] + '/pyproject.toml')",
        "import os; os.symlink('/etc/passwd', sys.argv[2] + '/link')",
        "import os; os.truncate(sys.argv[3], 0)",
        "import os; os.chmod(sys.argv[3], 0o600)",
        "import os; os.fchmod(os.open(sys.argv[3], os.O_RDONLY), 0o600)",
        "import os; os.chmod('outside', 0o600, dir_fd=os.open(os.path.dirname(sys.argv[3]), os.O_RDONLY))",
        "import os; os.chown(sys.argv[3], os.getuid(), -1)",
        "import os; os.lchown(sys.argv[3], os.getuid(), -1)",
        "import os; os.fchown(os.open(sys.argv[3], os.O_RDONLY), os.getuid(), -1)",
        "import os; os.chown('outside', os.getuid(), -1, dir_fd=os.open(os.path.dirname(sys.argv[3]), os.O_RDONLY))",
        "import os; os.kill(os.getppid(), 0)",
        "import os; os.kill(0, 0)",
        "import os; os.kill(-1, 0)",
        "import os, signal; signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 0)",
        "import os, resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU)",
        "import os, resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
        "import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        "import os; os.sched_setaffinity(os.getppid(), {0})",
        "import os; os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))",
        "import os; open(f'/proc/{os.getppid()}/environ', 'rb').read()",
        "import os; open(f'/proc/{os.getppid()}/maps', 'rb').read()",
        "import os; os.listdir(f'/proc/{os.getppid()}/fd')",
        "open(sys.argv[3]).read()",
        "import os; os.listdir(os.path.dirname(sys.argv[3]))",
        "open('/etc/hostname').read()",
    ],
)
def test_what_no_reader_needs_is_refused(tmp_path: Path, act: str) -> None:
    code = f"try:\n    {act}\nexcept OSError as error:\n    print('refused')\nelse:\n    print('done')"
    assert inside(tmp_path, code) == "refused"
    assert (tmp_path / "outside").read_text() == "kept"


@pytest.mark.parametrize(
    ("act", "status"), [("os.kill(os.getpid(), 15)", -15), ("os.abort()", -6), ("signal.raise_signal(15)", -15)]
)
def test_a_crash_is_still_seen_as_the_signal_it_was(tmp_path: Path, act: str, status: int) -> None:
    with pytest.raises(AssertionError, match=f"status {status} "):
        inside(tmp_path, f"import os, signal\n{act}")


def test_what_a_killed_owner_left_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner dies of SIGKILL with a file in its folder; one that is still held stays, and so does a fresh one."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import os, signal, sys, tempfile; sys.path.insert(0, sys.argv[1]); tempfile.tempdir = sys.argv[2]\n"
        "from scanner.sandbox import PrivateFolder\n"
        "open(PrivateFolder().path + '/unpacked', 'w').write('words')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-I", "-c", code, str(ROOT), str(tmp_path)], timeout=60, check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "unpacked").is_file()
    held = PrivateFolder()
    assert left.is_dir()  # too fresh: somebody may be about to hold it
    for folder in (left, Path(held.path)):
        os.utime(folder, (1_000_000_000, 1_000_000_000))
    PrivateFolder().wipe()
    assert list(tmp_path.iterdir()) == [Path(held.path)]
    held.wipe()
    assert not list(tmp_path.iterdir())


def test_another_process_of_the_same_user_does_not_see_into_one_that_conceals_itself(tmp_path: Path) -> None:
    """As the service does, which starts workers: also where there is no Landlock, for every user but root."""
    if os.geteuid() == 0:
        pytest.skip("root sees into every process; the walls of a worker are looked at above")
    code = "import sys; sys.path.insert(0, sys.argv[1])\nfrom scanner.sandbox import conceal\nconceal()\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-I", "-c", code, str(ROOT)], stdin=-1, stdout=-1) as hidden:
        assert hidden.stdout is not None
        hidden.stdout.readline()
        with pytest.raises(PermissionError):
            Path(f"/proc/{hidden.pid}/environ").read_bytes()
        hidden.communicate(b"\n")


def test_files_and_descriptors_have_limits(tmp_path: Path) -> None:
    code = (
        "import resource as r\nprint(r.getrlimit(r.RLIMIT_NOFILE)[0] <= 256, r.getrlimit(r.RLIMIT_FSIZE)[0] <= 1 << 30)"
    )
    assert inside(tmp_path, code) == "True True"
