"""What has happened, as GET /history tells it."""

from joed.model.values import DAY, SECOND
from tests.fakes.capital.words import Refused, asked_ns

LAST_S, LAST_MAX_S = 600, 86_400


def span_of(query, now):
    """Read the span that a request asks for, in nanoseconds; at most a day."""
    if "from" in query or "to" in query:
        to_ns = asked_ns(query["to"], "error.invalid.to") if "to" in query else now
        from_ns = asked_ns(query["from"], "error.invalid.from") if "from" in query else to_ns - LAST_S * SECOND
    else:
        last = query.get("lastPeriod", str(LAST_S))
        if not last.isdigit() or not 0 < int(last) <= LAST_MAX_S:
            raise Refused(400, "error.invalid.lastPeriod")
        from_ns, to_ns = now - int(last) * SECOND, now
    if not 0 <= to_ns - from_ns <= DAY:
        raise Refused(400, "error.invalid.daterange")
    return from_ns, to_ns + SECOND - 1 if "to" in query else to_ns  # a bound that names a second holds it whole


def wanted_by(text):
    """Read a filter such as `type==POSITION;epic==GOLD,SILVER`."""
    terms = [term.partition("==") for term in text.split(";") if term]
    if any(not value for _, _, value in terms):
        raise Refused(400, "error.invalid.filter")
    return {name: value.split(",") for name, _, value in terms}


def activities_of(fake, asked):
    """GET /history/activity: the newest first, as far as the service has got."""
    fake.sync()
    now, query = fake.clock.now(), asked.query
    from_ns, to_ns = span_of(query, now)
    wanted, deal = wanted_by(query.get("filter", "")), query.get("dealId")
    rows = []
    for act in reversed(fake.desk.activities):
        fits = all(str(getattr(act, name, "")) in values for name, values in wanted.items())
        if from_ns <= act.at_ns <= to_ns and act.visible_ns <= now and fits and deal in (None, act.deal):
            rows.append(act.row(now, fake.funds.offset_h, detailed=query.get("detailed") == "true"))
    return {"activities": rows if fake.accounts[asked.session.account_id].trades else []}


def transactions_of(fake, asked):
    """GET /history/transactions."""
    fake.sync()
    from_ns, to_ns = span_of(asked.query, fake.clock.now())
    kind = asked.query.get("type")
    rows = [
        row.row(fake.funds.offset_h)
        for row in reversed(fake.desk.transactions)
        if from_ns <= row.at_ns <= to_ns and kind in (None, row.type)
    ]
    return {"transactions": rows if fake.accounts[asked.session.account_id].trades else []}
