"""What lies in packaging/, held against the tools that will read it."""
