"""The verbs, each run as a person runs it."""
