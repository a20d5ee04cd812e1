"""Named functions that turn a context of bars and regime into Triggers."""
