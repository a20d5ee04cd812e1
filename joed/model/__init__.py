"""The nouns: values, events, commands, triggers, blocks, orders, state and settings."""
