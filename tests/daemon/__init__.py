"""Tests of joed.daemon."""
