"""Everything that goes wrong between a client and its orders, by name: from a test, a file or the command line.

A script has a line for each fault: when (seconds after the start), its name, its words. `#` begins a comment.

    5    cable            # the network is gone, nobody says so
    20   1100             # TWS has lost IBKR
    25   quote AAPL 94.0 94.1
    30   1102 silent      # it is back, and what happened meanwhile is not told
    60   restart 20 3     # away for 20 s, and the next order id is three lower than it was
"""

import shlex
from functools import partial

from joed.errors import ConfigError
from joed.model.commands import SubmitOrder
from joed.model.events import Quote
from joed.model.values import SECOND, Kind, Leg, Side, decimal
from joed.sim.odd import BY_HAND
from tests.fakes.tws.hostile import HOSTILE

LOST = "Connectivity between IBKR and Trader Workstation has been lost."
BROKEN = "Connectivity between TWS and server is broken. It will be restored automatically."
RESTORED = "Connectivity between IBKR and Trader Workstation has been restored - data {}."
FARMS = {
    "usfarm": (2103, 2104, "Market"),
    "ushmds": (2105, 2106, "HMDS"),
    "secdefil": (2157, 2158, "Sec-def"),
}
"""By its name: what is said when it breaks, when it is mended, and of which data."""
COMPETING = "No market data during competing live session"


def cable(tws, hold_s=0):
    """Pull the cable: no FIN, no bytes either way; the ids stay taken for `hold_s`."""
    until = tws.clock.now() + int(float(hold_s) * SECOND)
    for session in tuple(tws.sessions):
        session.pull()
        if tws.clients.get(session.client_id) is session:
            tws.held_ids[session.client_id] = until
            tws.leave(session)


def reset(tws):
    """Reset every connection."""
    for session in tuple(tws.sessions):
        session.reset()


def close(tws):
    """End every connection in order."""
    for session in tuple(tws.sessions):
        session.close()


def refuse(tws, seconds=0):
    """Close the port, for `seconds` or until `accept`."""
    tws.close_port()
    if float(seconds):
        tws.in_s(seconds, tws.open_port)


def accept(tws):
    """Open the port again and be a TWS as it should be."""
    tws.gateway = "open"
    tws.open_port()


def gateway(tws, state):
    """Meet clients as `open`, `login` (nobody has logged in), `silent` (after the handshake) or `mute` (at all)."""
    if state not in {"open", "login", "silent", "mute"}:
        raise ConfigError(f"a gateway is open, login, silent or mute, not {state}")
    tws.gateway = state


def taken(tws, client_id, seconds=3600):
    """Have a client id in use: 326."""
    tws.held_ids[int(client_id)] = tws.clock.now() + int(float(seconds) * SECOND)


def restart(tws, down_s=20, rollback=0, vanish=0):
    """Restart the gateway: `rollback` ids are given out again, and the last `vanish` orders to come are lost before.

    What waits for its transmit flag lives in TWS alone and is gone.
    """
    tws.desk.restart(int(rollback))
    close(tws)
    tws.close_port()
    tws.in_s(down_s, tws.open_port)
    if int(vanish):
        tws.desk.tricks.arm("vanish", count=int(vanish))


def lose_servers(tws, repeat_s=0, code=1100):
    """Lose IBKR's servers (1100): no data, no reports, no answers; said again each `repeat_s`."""
    tws.linked = False
    tws.broadcast(int(code), LOST if int(code) == 1100 else BROKEN)
    if float(repeat_s):
        tws.in_s(repeat_s, lambda: tws.linked or lose_servers(tws, repeat_s, code))


def regain_servers(tws, told="", code=1102):
    """Have them again; `silent`: what was reported meanwhile is never told. With 1101 all lines are gone."""
    if code == 1101:
        tws.market.drop()
    tws.broadcast(code, RESTORED.format("lost" if code == 1101 else "maintained"))
    tws.relink(told=told != "silent")


def farm(tws, state, name="usfarm"):
    """Break a farm, or mend it (`ok`): usfarm's prices stop (2103), ushmds has no history (2105), secdefil says it."""
    broken, mended, what = FARMS[name]
    tws.broken_farms[name] = state != "ok"
    tws.market.silent = tws.broken_farms.get("usfarm", False)
    code, words = (mended, "is OK") if state == "ok" else (broken, "is broken")
    tws.broadcast(code, f"{what} data farm connection {words}:{name}")


def value(tws, tag, amount):
    """Let a value of the account be this: DayTradesRemaining, BuyingPower and others."""
    tws.overrides[tag] = amount


def flap(tws, every_s=3, for_s=600):
    """Reset every connection each few seconds, for so long."""
    ends_ns = tws.clock.now() + int(float(for_s) * SECOND)

    def again():
        reset(tws)
        if tws.clock.now() < ends_ns:
            tws.in_s(every_s, again)

    tws.in_s(every_s, again)


def trickle(tws, count=0):
    """Let only so many bytes a millisecond reach a client, in pieces; 0 ends it."""
    tws.trickle = int(count)


def deaf(tws, state="on"):
    """Stop reading what clients write, while words to them go on; `off` reads all of it."""
    for session in tuple(tws.clients.values()):
        session.transport.pause_reading() if state == "on" else session.transport.resume_reading()


def latency(tws, seconds):
    """Let orders take this long to the exchange, and their reports back."""
    tws.latency_ns = int(float(seconds) * SECOND)


def clock_off(tws, seconds):
    """Tell a time that is this much ahead (below 0: behind)."""
    tws.clock_off_ns = int(float(seconds) * SECOND)


def compete(tws, state="on"):
    """Have the same user log in elsewhere (10197): each line is told so, and is silent until `off`."""
    for session in tuple(tws.clients.values()):
        for line in session.lines.values():
            line.stopped = state == "on"
            if line.stopped:
                session.error(line.request, 10197, COMPETING)


def port_moved(tws, port):
    """Say that the port has changed (1300), and end."""
    words = "TWS socket port has been reset and this connection is being dropped. Please reconnect on the new port"
    tws.broadcast(1300, f"{words} - {port}")
    close(tws)


def say(tws, code, *words):
    """Say a number to everybody, about no request."""
    tws.broadcast(int(code), " ".join(words) or f"Message {code}")


def about(tws, code, ref):
    """Say a number about a live order, whatever it is; nothing else happens to it."""
    tws.desk.remark(tws.desk.by_ref(ref), int(code))


def drop(tws, name, count=0):
    """Lose messages: the next `count` of this name, or all."""
    tws.tampering.drop(name, int(count) or None)


def twice(tws, name, count=0):
    """Say messages twice."""
    tws.tampering.repeat(name, int(count) or None)


def late(tws, name, seconds, count=0):
    """Hold messages back while others overtake them."""
    tws.tampering.delay(name, float(seconds), int(count) or None)


def passing(tws, name=""):
    """Let messages pass again."""
    tws.tampering.clear(name or None)


def commissions(tws, how, seconds=0):
    """Send commissions `on`, `late` by seconds, or `never`."""
    tws.commissions = how != "never"
    tws.commission_delay_s = float(seconds) if how == "late" else 0.0


def arm(trick):
    """Give the fault that arms a trick: with a number, and how often."""

    def armed(tws, value=1, count=1):
        tws.desk.tricks.arm(trick, int(value), int(count))

    armed.__doc__ = f"Arm {trick}: see TRICKS."
    return armed


def cut_after(tws, count):
    """Reset the connection after so many more orders: a bracket may lose its last leg."""
    tws.cut_after = int(count)


def slow_cancels(tws, seconds):
    """Let cancels take this long on their way: the order shows PendingCancel, and may fill."""
    tws.cancel_ns = int(float(seconds) * SECOND)


def inactive(tws, ref, seconds=0):
    """Show an order as Inactive; it revives after `seconds`, or at `revive`."""
    ticket = tws.desk.by_ref(ref)
    tws.desk.shelve(ticket)
    if float(seconds):
        tws.in_s(seconds, partial(tws.desk.revive, ticket))


def revive(tws, ref):
    """Have an inactive order work again."""
    tws.desk.revive(tws.desk.by_ref(ref))


def correct(tws, luck=1.0):
    """Correct the price of an execution, the newest by default: the same id but for its last part (.02)."""
    tws.desk.settle(tws.exchange.correct(tws.clock.now(), float(luck), bust=False))


def bust(tws, luck=1.0):
    """Take an execution back: the same id but for its last part, with nothing left of it."""
    tws.desk.settle(tws.exchange.correct(tws.clock.now(), float(luck), bust=True))


def quote(tws, symbol, bid, ask, *sizes):
    """Let the market be here; with sizes of bid and ask, orders fill no more than that."""
    bid_size, ask_size = (float(size) for size in sizes) if sizes else (None, None)
    tws.quote(Quote(symbol, float(bid), float(ask), bid_size=bid_size, ask_size=ask_size))


def odd(tws, oddity, count=1):
    """Arm an oddity of the exchange: late_fill, overfill, both_fill, or a refusal (joed/sim/odd.py)."""
    tws.exchange.armed[oddity] += int(count)


def ghosts(tws):
    """Fill what was cancelled while late_fill was armed."""
    tws.desk.settle(tws.exchange.fill_ghosts(tws.clock.now()))


def jump(tws, symbol, quantity):
    """Let a position be another by so much, with no execution: a split, a transfer."""
    tws.desk.settle(tws.exchange.split(tws.clock.now(), symbol, decimal(float(quantity))))
    for session in tuple(tws.clients.values()):
        tws.tell_changes(session, tws.directory.by_name[symbol])


def manual(tws, side, quantity, symbol, price=""):
    """Trade by hand in TWS, or leave a limit order: no client's, without orderRef."""
    now, amount = tws.clock.now(), decimal(float(quantity))
    if not price:
        tws.desk.by_hand(tws.exchange.by_hand(now, symbol, Side(side).sign * amount))
        return
    order = SubmitOrder(
        order=f"{BY_HAND}{tws.desk.next_perm}",
        broker=tws.exchange.name,
        instrument=symbol,
        side=Side(side),
        quantity=amount,
        kind=Kind.LIMIT,
        leg=Leg.ENTRY,
        opens=True,
        level=decimal(float(price)),
    )
    tws.desk.by_hand(tws.exchange.submit(now, order))


def halt(tws, symbol, state="on"):
    """Halt trading of a symbol, or resume it."""
    tws.halt(symbol, halted=state == "on")


def permit(tws, symbol, what):
    """Give the account `live`, `delayed` or no (`none`) prices of a symbol, for lines to come."""
    tws.market.permits[symbol] = what


def no_prices(tws, symbol):
    """Take bid and ask away: -1."""
    tws.market.close(symbol)


def lines(tws, count):
    """Have only so many lines: 101 beyond."""
    tws.market.lines_max = int(count)


def hostile(tws, kind):
    """Send what no TWS should send."""
    if kind not in HOSTILE:
        raise ConfigError(f"hostile is one of {', '.join(HOSTILE)}, not {kind}")
    for session in tuple(tws.clients.values()):
        session.write(HOSTILE[kind](session))


FAULTS = {
    "cable": cable,
    "reset": reset,
    "close": close,
    "refuse": refuse,
    "accept": accept,
    "gateway": gateway,
    "taken": taken,
    "restart": restart,
    "1100": lose_servers,
    "1101": partial(regain_servers, code=1101),
    "1102": regain_servers,
    "2110": partial(lose_servers, code=2110),
    "flap": flap,
    "trickle": trickle,
    "deaf": deaf,
    "latency": latency,
    "clock-off": clock_off,
    "farm": farm,
    "value": value,
    "compete": compete,
    "1300": port_moved,
    "say": say,
    "about": about,
    "drop": drop,
    "twice": twice,
    "late": late,
    "pass": passing,
    "commissions": commissions,
    "reject": arm("reject"),
    "vanish": arm("vanish"),
    "note": arm("note"),
    "cancel-answer": arm("cancel"),
    "cancel-lost": arm("forget"),
    "twin": arm("twin"),
    "cut-after": cut_after,
    "cancel-slow": slow_cancels,
    "inactive": inactive,
    "revive": revive,
    "correct": correct,
    "bust": bust,
    "quote": quote,
    "odd": odd,
    "ghosts": ghosts,
    "jump": jump,
    "manual": manual,
    "halt": halt,
    "permit": permit,
    "no-prices": no_prices,
    "lines": lines,
    "hostile": hostile,
}
"""What can be asked for, by the name that a script uses."""
TRICKS = {
    "reject": "the next orders are refused with this number and never reach the exchange",
    "vanish": "the next orders are lost without a word",
    "note": "this number is said about the next orders, which live on",
    "cancel-answer": "the next cancels are answered with this number, and nothing is cancelled",
    "cancel-lost": "the next cancels are lost without a word",
    "twin": "the next modifications make a second order of the same orderRef, under another permId",
}


def act(tws, words):
    """Have one fault happen now: its name and its words, as in a script."""
    name, *rest = shlex.split(words, comments=True)
    if name not in FAULTS:
        raise ConfigError(f"no fault {name}: one of {', '.join(FAULTS)}")
    tws.log("fault", words)
    FAULTS[name](tws, *rest)


def play(tws, script):
    """Plan a script's faults; raise ConfigError for a line that is none."""
    for number, line in enumerate(script.splitlines(), 1):
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if len(words) < 2 or words[1] not in FAULTS or not words[0].replace(".", "", 1).isdigit():
            raise ConfigError(f"line {number} of the faults says {line!r}, not: SECONDS FAULT WORDS")
        tws.in_s(words[0], partial(act, tws, shlex.join(words[1:])))
