"""Mirrors joed/data."""
