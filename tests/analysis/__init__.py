"""Tests of joed.analysis."""
