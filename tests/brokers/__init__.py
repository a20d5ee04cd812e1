"""Tests of joed.brokers, and the contract that every adapter passes."""
