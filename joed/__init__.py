"""joed trades a person's own account through a trading day; this file holds the version, nothing else."""

__version__ = "0.1.0"
