"""The embedded market: one seed makes a trading day of 20 stocks, an index and VIX, quote by quote.

Only `embedded` and what it is made of need numpy; `day` and `listings` serve a process that has none.
"""
