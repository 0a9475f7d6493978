"""The server's side of the task pane in Outlook: sign-in by bearer, its API, its files."""
