"""Brokers that speak the real wire, over the one matching model."""
