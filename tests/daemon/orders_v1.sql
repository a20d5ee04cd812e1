CREATE VIEW orders AS
WITH asked AS (
    SELECT seq, at_ns, session, "index", json, json_extract(json, '$.order') AS parent,
        json_extract(json, '$.side') AS side,
        CASE json_extract(json, '$.side') WHEN 'BUY' THEN 'SELL' ELSE 'BUY' END AS turn
    FROM commands WHERE type = 'SubmitOrder'
), leg AS (
    SELECT *, parent AS "order", json_extract(json, '$.kind') AS kind, json_extract(json, '$.leg') AS leg,
        json_extract(json, '$.level') AS level FROM asked
    UNION ALL
    SELECT seq, at_ns, session, "index", json, parent, turn, turn, json_extract(json, '$.stop_order'), 'STOP', 'S',
        json_extract(json, '$.stop') FROM asked WHERE json_extract(json, '$.stop_order') <> ''
    UNION ALL
    SELECT seq, at_ns, session, "index", json, parent, turn, turn, json_extract(json, '$.target_order'), 'LIMIT', 'T',
        json_extract(json, '$.target') FROM asked WHERE json_extract(json, '$.target_order') <> ''
), told AS (
    SELECT seq, kind, event, json_extract(event, '$.order') AS "order" FROM records
    WHERE kind IN ('OrderAccepted', 'OrderWorking', 'OrderCancelled', 'OrderExpired', 'OrderRejected', 'CancelRejected',
        'OrderDoubted', 'CommandSent', 'CommandDropped')
), word AS (
    SELECT "order", seq, CASE kind WHEN 'OrderAccepted' THEN 'ACKED' WHEN 'OrderWorking' THEN 'WORKING'
        WHEN 'OrderCancelled' THEN 'CANCELLED' WHEN 'OrderExpired' THEN 'EXPIRED' WHEN 'OrderRejected' THEN 'REJECTED'
        ELSE 'UNCERTAIN' END AS status FROM told WHERE kind NOT IN ('CommandSent', 'CommandDropped')
    UNION ALL
    SELECT leg."order", told.seq, CASE told.kind WHEN 'CommandSent' THEN 'SENT' WHEN 'OrderRejected' THEN 'REJECTED'
        ELSE 'ABSENT_PROVEN' END
    FROM told JOIN leg ON leg.parent = told."order" WHERE told.kind = 'OrderRejected'
        OR (told.kind LIKE 'Command%' AND leg.seq = json_extract(told.event, '$.seq')
            AND leg."index" = json_extract(told.event, '$.index'))
    UNION ALL
    SELECT json_extract(json, '$.order'), seq, CASE type WHEN 'CancelOrder' THEN 'CANCEL_ASKED'
        WHEN 'MarkUncertain' THEN 'UNCERTAIN' ELSE 'ABSENT_PROVEN' END
    FROM commands WHERE type IN ('CancelOrder', 'MarkUncertain', 'RetireOrder')
    UNION ALL
    SELECT e.key, r.seq, e.value FROM records AS r, json_each(r.event, '$.ended') AS e WHERE r.kind = 'BrokerRead'
    UNION ALL
    SELECT json_extract(e.value, '$.order'), r.seq, json_extract(e.value, '$.status')
    FROM records AS r, json_each(r.event, '$.orders') AS e WHERE r.kind = 'BrokerRead'
), latest AS (
    SELECT "order", status, seq, status IN ('FILLED', 'REJECTED', 'CANCELLED', 'EXPIRED', 'ABSENT_PROVEN') AS ended,
        row_number() OVER (PARTITION BY "order" ORDER BY
            status IN ('FILLED', 'REJECTED', 'CANCELLED', 'EXPIRED', 'ABSENT_PROVEN') DESC, seq DESC) AS rank FROM word
), done AS (
    SELECT "order", sum(quantity) AS filled, max(seq) AS seq FROM fills GROUP BY "order"
)
SELECT leg.seq, leg.at_ns, leg.session, leg."order", json_extract(leg.json, '$.broker') AS broker,
    json_extract(leg.json, '$.instrument') AS instrument, leg.side, json_extract(leg.json, '$.quantity') AS quantity,
    leg.kind, leg.leg, leg.level, json_extract(leg.json, '$.strategy') AS strategy,
    json_extract(leg.json, '$.signal') AS signal, json_extract(leg.json, '$.group') AS "group",
    CASE WHEN done.filled >= json_extract(leg.json, '$.quantity') + 0 THEN 'FILLED' WHEN latest.ended THEN latest.status
        WHEN done.filled > 0 AND coalesce(latest.status, '') NOT IN ('CANCEL_ASKED', 'UNCERTAIN') THEN 'PARTIAL'
        ELSE coalesce(latest.status, 'ARMED') END AS status,
    coalesce(done.filled, 0) AS filled, max(leg.seq, coalesce(latest.seq, 0), coalesce(done.seq, 0)) AS told_seq
FROM leg LEFT JOIN latest ON latest."order" = leg."order" AND latest.rank = 1
    LEFT JOIN done ON done."order" = leg."order" ORDER BY leg.seq, leg."index", leg.leg;
