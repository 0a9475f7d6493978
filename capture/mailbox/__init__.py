"""Mailbox backends: one line each. A value is "module:class", loaded when it is used."""

MAILBOXES = {
    "folder": "capture.mailbox.folder:FolderMailbox",
}
