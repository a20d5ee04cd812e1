"""The rows of the fault catalogue that need a real process or a real disk: one named test each, its times measured."""
