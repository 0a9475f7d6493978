"""Can Microsoft's own SDK for Python read what mailweir wrote to Dataverse?

    python -m venv /tmp/sdk && /tmp/sdk/bin/pip install PowerPlatform-Dataverse-Client
    python -m tests.benchmarks.dataverse_sdk --python /tmp/sdk/bin/python

The SDK (MIT) is no dependency of mailweir and is never in its environment: it is installed in one of its own. It
speaks https only, so the stand-in is served with a certificate made for the occasion. mailweir writes a mail with a
file, people and a record; the SDK looks up tables, keys and columns, lists, filters, expands, pages, follows errors,
and makes and removes a contact. Prints what it read; exits 0 when all of it is what was written, 1 when not, 2 without
the SDK.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import subprocess
import sys
import tempfile
from email.message import EmailMessage
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
sys.path.insert(0, str(Path(__file__).parent.parent / "servers"))

import trustme
from dataverse_server import serving_dataverse
from dataverse_world import OWN, settings_for
from graph_world import StaticTokens
from stores import opened

from capture.crm.dataverse import DataverseCrm
from capture.ports import ItemRef, MailItem
from pii_scan.text import Address, Block, Envelope, Extraction, Part

READER = Path(__file__).parent.parent / "support" / "dataverse_sdk_reader.py"
ABSENT = 3
ANNA, WANDA = f"anna@{OWN}", "wanda@firehall.example.com"
MESSAGE_ID = "<quote-17@firehall.example.com>"
TEXT = "Please find our quote, with the Umlaut \u00e4 and <tags> & more."


def written(crm: DataverseCrm) -> None:
    """A mail with a file from Wanda to Anna, tracked by two; and another one."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = WANDA, ANNA, "Quote 17"
    message.set_content(TEXT)
    message.add_attachment(b"item,seats\n", maintype="text", subtype="csv", filename="seats.csv")
    for key, tracker, ident in (("k1", "anna", MESSAGE_ID), ("k1", "bert", MESSAGE_ID),
                                ("k2", "anna", "<b@x.example>")):
        envelope = Envelope(message_id=ident.strip("<>"), subject="Quote 17", sender=Address("Wanda", WANDA),
                            sent="2026-01-02T03:04:05+00:00", recipients=(Address("Anna", ANNA),))
        crm.link(key, tracker, MailItem(ItemRef(tracker, "1"), message.as_bytes()), envelope,
                 Extraction((Part("body", "text", (Block(TEXT),)),)))


def differences(said: dict[str, Any], wanda: str) -> list[str]:
    """What the SDK read that is not what was written, in words."""
    mail = said["mails"][0] if len(said["mails"]) == 1 else {}
    files = mail.get("email_activity_mime_attachment", [])
    parties = {(p["participationtypemask"], p.get("addressused")) for p in mail.get("email_activity_parties", [])}
    expected = {
        "alternate keys": (said["keys"], [["mw_key"]]), "one mail of this id": (len(said["mails"]), 1),
        "subject": (mail.get("subject"), "Quote 17"), "completed": (mail.get("statecode"), 1),
        "text": (mail.get("description"), TEXT.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")),
        "file": ([f.get("filename") for f in files], ["seats.csv"]),
        "people": ({(1, WANDA), (2, ANNA)} <= parties, True),
        "regarding": (said["one"]["_regardingobjectid_value"], wanda),
        "direction": (said["one"]["directioncode"], False), "what is not there": (said["gone"], None),
        "pages": (said["pages"], [1, 1]), "trackers": (sorted(t["mw_name"] for t in said["trackers"]),
                                                       ["anna", "anna", "bert"]),
        "a row of its own": (said["contact"].get("jobtitle"), "Tester"), "removed again": (said["deleted"], True)}
    return [f"{name}: {got!r}, not {wanted!r}" for name, (got, wanted) in expected.items() if got != wanted]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter of an environment with the SDK")
    chosen = parser.parse_args(argv).python
    authority, tokens = trustme.CA(), StaticTokens()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as (db, _), serving_dataverse(
            lambda token: token == tokens.valid, context) as org:
        bundle = Path(folder) / "ca.pem"
        authority.cert_pem.write_to_path(str(bundle))
        for name in ("anna", "bert"):
            org.user(f"{name}@{OWN}")
        wanda = org.add("contacts", fullname="Wanda Imaginary", emailaddress1=WANDA)
        crm = DataverseCrm(settings_for(org, ca_file=str(bundle)), tokens, db, (OWN,))
        try:
            written(crm)
        finally:
            crm.close()
        done = subprocess.run([chosen, str(READER), org.url, tokens.valid, MESSAGE_ID], check=False, text=True,
                              capture_output=True, timeout=300, env=os.environ | {"REQUESTS_CA_BUNDLE": str(bundle)})
    if done.returncode == ABSENT:
        print(f"{chosen} has no Dataverse SDK. Make an environment for it and name its interpreter:\n"
              "    python -m venv /tmp/sdk && /tmp/sdk/bin/pip install PowerPlatform-Dataverse-Client\n"
              "    python -m tests.benchmarks.dataverse_sdk --python /tmp/sdk/bin/python")
        return 2
    if done.returncode:
        print(done.stderr)
        return 1
    said = json.loads(done.stdout)
    wrong = differences(said, wanda)
    print(f"read by the SDK: {len(said['mails'])} mail with {said['columns']} columns known, "
          f"{len(said['mails'][0]['email_activity_parties'])} parties, "
          f"{len(said['mails'][0]['email_activity_mime_attachment'])} file, {len(said['trackers'])} trackers, "
          f"{len(said['pages'])} pages")
    print("\n".join(wrong) if wrong else "all of it is what was written")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
