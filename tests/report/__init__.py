"""Tests of joed.report: a journal goes in, words and figures come out."""
