"""A watcher or worker killed (SIGKILL) between two acts that belong together: nothing lost, nothing doubled."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from world import mail, make_world

from capture import worker
from capture.mailbox.filemarks import categories, stamp_of

ROOT = Path(__file__).parent.parent.parent
DIE = "lambda *_, **__: os.kill(os.getpid(), 9)"
RUN = """
import os, sys
from pathlib import Path
from capture import marking, worker
from capture.mailbox.folder import FolderMailbox
from capture.settings import load_settings
from store import watch
{plan}
worker.run(load_settings(Path(sys.argv[1])), once=True)
"""
PLANS = {
    "holding a mailbox": f"FolderMailbox.folders = {DIE}",
    "between page and commit": f"watch.commit = {DIE}",
    "between CRM and mark": f"show = marking.show\n"
                            f"marking.show = lambda t, c, s: show(t, c, s) if s == 'pending' else ({DIE})()",
}


@pytest.mark.parametrize("plan", PLANS)
def test_killed_between_two_acts_the_item_is_there_once_with_one_state(tmp_path: Path, plan: str) -> None:
    world = make_world(tmp_path / "home")
    tagged = [world.put("dana.reid", f"m{n}", mail(f"Course {n}", "Could we start on the 9th at 8:30?\n",
                                                   message_id=f"m{n}@client.example.com")) for n in range(3)]
    world.put("dana.reid", "other", mail("Lunch", "At noon?\n"), folder="Inbox")
    done = subprocess.run([sys.executable, "-c", RUN.format(plan=PLANS[plan]), str(world.home)], cwd=ROOT,
                          capture_output=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]

    totals = worker.run(world.settings, once=True)

    assert (totals["linked"], totals["unfinished"]) == (3, 0)
    assert sorted(world.rows("SELECT subject FROM activity")) == [("Course 0",), ("Course 1",), ("Course 2",)]
    assert world.rows("SELECT count(*) FROM capture") == [(3,)]
    assert [categories(path.read_bytes()) for path in tagged] == [["CRM: linked"]] * 3
    stamps = [stamp_of(path.read_bytes()) for path in tagged]
    assert all(stamp is not None and (stamp.state, stamp.generation) == ("linked", 1) for stamp in stamps)
