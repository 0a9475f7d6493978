"""The mailbox of `mailweir demo`: invented people, invented mail, nothing fetched from anywhere."""
