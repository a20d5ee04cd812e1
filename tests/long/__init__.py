"""Proofs that take minutes: each a script of its own, run by hand or by night."""
