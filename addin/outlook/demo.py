"""`mailweir demo --pane`: the invented mailboxes, nothing tagged yet, the pane, and a page that stands for Outlook."""

from __future__ import annotations

from pathlib import Path

from addin.serve import serve
from capture import desk
from capture.demo.items import CRM_FILE
from capture.demo.show import demo_home, make_home
from capture.mailbox.filemarks import with_state
from capture.mailbox.states import TRIGGER
from capture.terminal import say


def run_simulator(keep: Path | None, *, port: int) -> int:
    """Make a demo home in which nothing is tagged, serve it with the pane, and say where. Returns the exit code."""
    with demo_home(keep) as home:
        settings = make_home(home)
        untag(settings.mailbox_root)
        desk.import_crm(settings, CRM_FILE)
        chosen = settings.model_copy(update={
            "pane": settings.pane.model_copy(update={"enabled": True}),
            "web": settings.web.model_copy(update={"port": port})})
        return serve(chosen, listening=lambda at: say(
            f"Open {at}/pane/demo in a browser: choose an item and press Track. Ctrl-C ends it."))


def untag(root: Path) -> None:
    """Take the trigger category off every item of the demo, and the items out of trigger folders."""
    for path in sorted(root.rglob("*.eml")):
        path.write_bytes(with_state(path.read_bytes(), ""))
        if TRIGGER in path.parent.parts:
            inbox = root / path.relative_to(root).parts[0] / "Inbox"
            inbox.mkdir(exist_ok=True)
            path.rename(inbox / path.name)
