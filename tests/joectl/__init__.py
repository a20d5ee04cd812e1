"""Tests of joectl."""
