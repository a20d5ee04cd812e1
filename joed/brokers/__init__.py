"""Adapters: a broker's own words become our events, our commands become its requests."""
