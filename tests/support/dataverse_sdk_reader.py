"""Reads with the public Dataverse SDK for Python what mailweir wrote, and prints it as JSON. Run by
`tests/benchmarks/dataverse_sdk.py` with an interpreter of its own, which has the SDK and nothing of mailweir.

    python dataverse_sdk_reader.py https://127.0.0.1:8443 TOKEN MESSAGE_ID

REQUESTS_CA_BUNDLE names the authority of the server's certificate. Exits 3 when the SDK is not installed there.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def main(url: str, token: str, message_id: str) -> int:
    try:
        from azure.core.credentials import AccessToken
        from PowerPlatform.Dataverse.client import DataverseClient
    except ImportError:
        return 3

    class Known:
        """A credential that has its token already."""

        def get_token(self, *_scopes: str, **_more: Any) -> Any:
            return AccessToken(token, int(time.time()) + 3600)

    said: dict[str, Any] = {}
    with DataverseClient(url, Known()) as client:
        said["keys"] = [key.key_attributes for key in client.tables.get_alternate_keys("email")]
        said["columns"] = len(client.tables.list_columns("email", select=["LogicalName"]))
        mails = list(client.records.list(
            "email", filter=f"messageid eq '{message_id}'", select=["subject", "description", "statecode", "mw_key"],
            expand=["email_activity_parties", "email_activity_mime_attachment"]))
        said["mails"] = [_plain(mail) for mail in mails]
        one = client.records.retrieve("email", mails[0]["activityid"],
                                      select=["subject", "_regardingobjectid_value", "directioncode"],
                                      include_annotations="Microsoft.Dynamics.CRM.lookuplogicalname")
        said["one"] = _plain(one)
        said["gone"] = client.records.retrieve("email", "00000000-0000-0000-0000-000000000001", select=["subject"])
        pages = list(client.records.list_pages("email", select=["subject"], page_size=1))
        said["pages"] = [len(list(page)) for page in pages]
        said["trackers"] = [_plain(row) for row in client.records.list(
            "mw_tracker", select=["mw_name", "mw_links", "mw_reason"])]
        made = client.records.create("contact", {"fullname": "Made with the SDK", "emailaddress1": "sdk@x.example"})
        client.records.update("contact", made, {"jobtitle": "Tester"})
        said["contact"] = _plain(client.records.retrieve("contact", made, select=["fullname", "jobtitle"]))
        client.records.delete("contact", made)
        said["deleted"] = client.records.retrieve("contact", made, select=["fullname"]) is None
    json.dump(said, sys.stdout)
    return 0


def _plain(record: Any) -> dict[str, Any]:
    return json.loads(json.dumps(dict(record.items()) if hasattr(record, "items") else dict(record.data), default=str))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
