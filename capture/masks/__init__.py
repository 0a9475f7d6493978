"""How a held item is shown masked: refs, who is named, what is hidden, and why. Use `capture.masked`."""
