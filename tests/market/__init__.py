"""Mirrors joed/market."""
