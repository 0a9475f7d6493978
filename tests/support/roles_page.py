"""Writes docs/operators/roles.md out of the tables of store/access.py; a test fails when they differ."""

from __future__ import annotations

import sys
from pathlib import Path

from store.access import APART, FIREWALLED, FRESH, GRANTS, NEVER, REFUSALS, Action, Role, Scope

FILE = Path(__file__).parent.parent.parent / "docs" / "operators" / "roles.md"
SHORT = {Scope.OWN: "own", Scope.DIVISION: "division", Scope.ALL: "all"}
HEAD = """\
# Roles: who may do what

Written out of `store/access.py`; a test fails when the two differ.

`own`: what the person tracked, asked for or is. `division`: what belongs to a division of theirs. `all`: everything.
`never`: forbidden, whatever other roles the person has. Empty: not allowed.
"""


TERMINAL = """\
## At the terminal

Whoever runs a command has the key and the database of the home. The checks below keep people in their roles and name
them; they do not stop the owner of the machine.

* `--actor` names a registered person (address or id): the table above decides, and the person's id is recorded. There
  is no sign-in at a terminal, so whoever signed the rules in force counts as having affirmed them, and as just signed
  in.
* `--actor` names nobody in the register: refused (`unknown-actor`), except while nobody was ever made administrator,
  so that a home can be set up. The name is recorded as it was given then.
* No `--actor`: the user the operating system knows is recorded as the operator of the machine. Such a user sees no
  contact field that belongs to a division.
* Nobody without an entry in the register proposes or approves an allow rule, signs a week, exports, reports on a case
  or is a second person.
* The commands of `mailweir queue` go further: docs/operators/review.md.
"""


def render() -> str:
    """The whole page."""
    roles = list(Role)
    lines = [HEAD, "| | " + " | ".join(roles) + " |", "|---" * (len(roles) + 1) + "|"]
    for action in Action:
        cells = ["never" if action in NEVER.get(role, ()) else SHORT[GRANTS[role][action]]
                 if action in GRANTS[role] else "" for role in roles]
        lines.append(f"| `{action}` | " + " | ".join(cells) + " |")
    lines += ["", "## Rules above the table", "",
              "* Nobody opens, reveals or decides mail they sent, received or tracked.",
              "* A second decision, the approval of a rule, of an access and its granting need another person than the "
              "one who acted first, or whom it is about.",
              f"* {', '.join(f'`{a}`' for a in sorted(FRESH))} need a sign-in of the last minutes.",
              "* Nothing but one's own page works before the rules of behaviour are signed and affirmed; nothing can "
              "be tracked when the training has expired.",
              "* Across divisions these fields of a contact are hidden: "
              f"{', '.join(f'`{f}`' for f in sorted(FIREWALLED['contact']))}.",
              "", "## Roles nobody may hold together", ""]
    lines += [f"* {' and '.join(sorted(pair))}" for pair in APART]
    lines += ["", TERMINAL, "## Why something is refused", "", "| Code | Meaning |", "|---|---|"]
    lines += [f"| `{code}` | {text} |" for code, text in REFUSALS.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"wrote {FILE.name}\n")
