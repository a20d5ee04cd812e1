"""Tests of joed.engine: state, then events, then the exact commands."""
