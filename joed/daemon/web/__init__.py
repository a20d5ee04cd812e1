"""The live page on 127.0.0.1: it shows what `joectl status` shows, as it changes, and can change nothing."""
