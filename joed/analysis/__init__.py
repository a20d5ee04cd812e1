"""Pure thinking about bars: indicators, regime, scan, score, performance and summary."""
