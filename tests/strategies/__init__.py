"""Tests of joed.strategies."""
