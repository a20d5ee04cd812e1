"""joed under a real systemd, booted in namespaces of its own over a root of its own (needs root)."""
