"""What TWS's numbers mean, in one table; a number that is not here decides nothing.

The law is IBKR's list of message codes; where it is silent, the row says what was seen. The library's own judgement is
not asked: it ends an order in its books for a warning such as 10349, and the order fills.
"""

from enum import StrEnum
from typing import NamedTuple


class Means(StrEnum):
    """What a number says."""

    NOTE = "note"  # whatever it is about goes on as before
    REFUSED = "refused"  # a new order was not taken, other terms were not taken
    GONE = "gone"  # what was to be changed or cancelled is over, or not known: only evidence tells which
    DOUBT = "doubt"  # an order may be there, or not
    ENDED = "ended"  # an order was cancelled; orderStatus says so too
    LOST = "lost"  # TWS has lost the servers
    BACK = "back"  # it has them again, and its data lines
    BACK_BARE = "back_bare"  # it has them again, and its data lines are gone
    FARM_DOWN = "farm_down"
    FARM_UP = "farm_up"
    NO_DATA = "no_data"  # no live prices of this instrument for this account
    UNKNOWN = "unknown"  # no contract, or several
    FULL = "full"  # no data line is free
    STOLEN = "stolen"  # another session of the same user has the data
    HISTORY = "history"  # a question about the past was not answered
    TAKEN = "taken"  # the client id is in use
    PACED = "paced"  # we were too fast
    SETTING = "setting"  # something in TWS is set so that joed cannot work


class Row(NamedTuple):
    """What a number means, and the one word that it has in our books."""

    means: Means
    code: str = ""


NOTHING = Row(Means.NOTE)
UNLISTED = Row(Means.DOUBT, "unlisted")

CODES: dict[int, Row] = {
    100: Row(Means.PACED, "paced"),
    101: Row(Means.FULL, "lines"),
    102: Row(Means.NOTE),  # a ticker's id twice: the line that has it goes on
    103: Row(Means.DOUBT, "duplicate_number"),  # not this order, but whose? The next read finds ours by its reference
    104: Row(Means.GONE),
    105: Row(Means.GONE),
    110: Row(Means.REFUSED, "price"),
    135: Row(Means.GONE),
    136: Row(Means.GONE),
    161: Row(Means.GONE),
    162: Row(Means.HISTORY, "history"),
    165: Row(Means.NOTE),
    166: Row(Means.HISTORY, "history"),
    200: Row(Means.UNKNOWN, "unknown"),
    201: Row(Means.REFUSED, "rejected"),
    202: Row(Means.ENDED, "cancelled"),
    203: Row(Means.REFUSED, "not_allowed"),
    300: Row(Means.NOTE),
    309: Row(Means.NOTE),
    321: Row(Means.REFUSED, "validation"),
    322: Row(Means.NOTE),
    326: Row(Means.TAKEN, "client_id"),
    329: Row(Means.REFUSED, "type"),
    354: Row(Means.NO_DATA, "no_permission"),
    355: Row(Means.REFUSED, "quantity"),
    366: Row(Means.HISTORY, "history"),
    382: Row(Means.REFUSED, "price"),
    383: Row(Means.REFUSED, "quantity"),
    387: Row(Means.REFUSED, "type"),
    399: Row(Means.NOTE),  # "will not be placed at the exchange until 09:30": it waits
    404: Row(Means.NOTE),  # shares to borrow are being located: it waits
    434: Row(Means.REFUSED, "quantity"),
    435: Row(Means.REFUSED, "account"),
    460: Row(Means.REFUSED, "no_permission"),
    507: Row(Means.TAKEN, "client_id"),
    1100: Row(Means.LOST, "servers"),
    1101: Row(Means.BACK_BARE),
    1102: Row(Means.BACK),
    1300: Row(Means.SETTING, "port"),
    2102: Row(Means.REFUSED, "in_process"),
    2103: Row(Means.FARM_DOWN, "farm"),
    2104: Row(Means.FARM_UP, "farm"),
    2105: Row(Means.FARM_DOWN, "farm"),
    2106: Row(Means.FARM_UP, "farm"),
    2109: Row(Means.NOTE),
    2110: Row(Means.LOST, "servers"),
    2157: Row(Means.FARM_DOWN, "farm"),
    2158: Row(Means.FARM_UP, "farm"),
    10006: Row(Means.REFUSED, "no_parent"),
    10089: Row(Means.NO_DATA, "no_permission"),
    10090: Row(Means.NOTE),  # a part of the data; the rest comes
    10147: Row(Means.GONE),
    10148: Row(Means.GONE),
    10149: Row(Means.DOUBT, "number"),
    10167: Row(Means.NO_DATA, "delayed"),
    10168: Row(Means.NO_DATA, "no_permission"),
    10186: Row(Means.NO_DATA, "no_permission"),
    10187: Row(Means.HISTORY, "history"),
    10189: Row(Means.NOTE),  # tick by tick was refused; the line itself goes on
    10190: Row(Means.NOTE),
    10197: Row(Means.STOLEN, "competing_session"),
    10243: Row(Means.REFUSED, "quantity"),
    10289: Row(Means.REFUSED, "no_permission"),
    10293: Row(Means.REFUSED, "no_permission"),
    10311: Row(Means.NOTE),
    10349: Row(Means.NOTE),  # time in force set by a preset: the order lives, whatever the libraries say
}

WARNINGS = range(2100, 2200)
"""Numbers that are warnings where the table has no row for them."""


def meaning(number: int) -> Row:
    """Give what a number means; a warning that is not listed is a note, anything else leaves an order in doubt."""
    return CODES.get(number) or (NOTHING if number in WARNINGS else UNLISTED)
