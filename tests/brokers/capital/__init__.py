"""Capital.com's adapter, module by module."""
