"""What a day, or a row of days, came to: read from the journal alone, and checked against the exchange's own book."""

from joed.report.day import DayReport, day_of, day_report
from joed.report.run import RunReport

__all__ = ["DayReport", "RunReport", "day_of", "day_report"]
