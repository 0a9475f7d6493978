"""Mailbox backends: one line each. A value is "module:function"; the function takes the `Settings` of the home
and returns a `capture.ports.Mailbox`. It is loaded when a mailbox of that kind is used."""

MAILBOXES = {
    "ews": "capture.mailbox.ews:from_settings",
    "folder": "capture.mailbox.folder:from_settings",
    "graph": "capture.mailbox.graph:from_settings",
    "memory": "capture.mailbox.memory:from_settings",
}
