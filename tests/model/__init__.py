"""Tests of joed.model."""
