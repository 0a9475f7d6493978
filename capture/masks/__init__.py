"""How a held item is shown masked: where things lie (refs), who is named, what is hidden, and why. Use `capture.masked`."""
