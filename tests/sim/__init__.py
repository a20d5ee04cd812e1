"""Tests of joed.sim: the world itself must be able to find a fault."""
