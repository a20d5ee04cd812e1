"""`python -m joectl`."""

from joectl.cli import main

main()
