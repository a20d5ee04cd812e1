"""The seeded world: faults, laws and virtual time."""
