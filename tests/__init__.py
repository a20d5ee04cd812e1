"""The tests: one file a module, same path."""
