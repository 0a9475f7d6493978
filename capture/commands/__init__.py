"""Groups of commands, one file each with one Typer app; `cli.py` names them in its list of groups.

Nothing heavy is imported at the top of these files: `mailweir --help` loads them all.
"""
