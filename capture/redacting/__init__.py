"""How a redacted copy is made: what is cut out, and files built anew. Use `capture.redaction`."""
