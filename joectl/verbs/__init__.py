"""The verbs, by what they do: look, change, kill, stream, and what needs no daemon."""
