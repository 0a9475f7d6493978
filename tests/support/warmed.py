"""Imported by a server that forks: its children have the scanner already."""

import warm

warm.prepare()
