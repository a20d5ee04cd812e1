"""Answers as Capital.com gives them, with made-up values: real field names, oddities included."""

CONFIRM = b"""{"date":"2026-01-05T14:22:18.473","status":"OPEN","dealStatus":"ACCEPTED","epic":"GOLD",
"dealReference":"o_1","dealId":"order-1","affectedDeals":[{"dealId":"position-1","status":"OPENED"}],
"level":4048.38,"size":0.01,"direction":"BUY","guaranteedStop":false,"trailingStop":false}"""

REJECTED = b"""{"date":"2026-01-05T14:22:18.473","status":"DELETED","dealStatus":"REJECTED",
"rejectReason":"RC_NOT_ENOUGH_MARGIN","epic":"GOLD","dealReference":"o_2","dealId":"order-2","affectedDeals":[],
"level":0,"size":1,"direction":"BUY"}"""

POSITIONS = b"""{"positions":[{"position":{"contractSize":1,"createdDate":"2026-01-05T16:22:18.473",
"createdDateUTC":"2026-01-05T14:22:18.473","dealId":"position-1","dealReference":"p_position-1",
"workingOrderId":"order-1","size":0.01,"leverage":20,"upl":-0.02,"direction":"BUY","level":4048.38,"currency":"USD",
"guaranteedStop":false,"stopLevel":4000.5,"profitLevel":4100},"market":{"instrumentName":"Gold","epic":"GOLD",
"marketStatus":"TRADEABLE","bid":4046.1,"offer":4046.4,"updateTime":"2026-01-05T16:22:20.1"}}]}"""

WORKING = b"""{"workingOrders":[{"workingOrderData":{"dealId":"order-3","direction":"BUY","epic":"SILVER","orderSize":2,
"leverage":20,"orderLevel":24.5,"timeInForce":"GOOD_TILL_DATE","goodTillDate":"2026-01-05T17:00:00",
"createdDate":"2026-01-05T16:22:18.473","createdDateUTC":"2026-01-05T14:22:18.473","guaranteedStop":false,
"orderType":"LIMIT","stopDistance":-3,"profitDistance":3,"currencyCode":"USD"},
"marketData":{"epic":"SILVER","marketStatus":"TRADEABLE"}}]}"""

TRANSACTIONS = b"""{"transactions":[{"date":"2026-01-05T16:30:00.000","dateUtc":"2026-01-05T14:30:00.000",
"instrumentName":"GOLD","transactionType":"TRADE","note":"Trade closed","reference":"123","size":"-12.34",
"currency":"USDd","status":"PROCESSED","dealId":"position-1"}]}"""

MARKETS = b"""{"marketDetails":[{"instrument":{"epic":"GOLD","symbol":"Gold","name":"Gold","type":"COMMODITIES",
"currency":"USD","marginFactor":100,"openingHours":{"mon":["00:00 - 20:59","22:00 - 00:00"],"sat":[],"zone":"UTC"},
"overnightFee":{"longRate":-0.0163,"shortRate":0.0054,"swapChargeTimestamp":1788220800000}},
"dealingRules":{"minStepDistance":{"unit":"POINTS","value":0.01},"minDealSize":{"unit":"POINTS","value":0.01},
"maxDealSize":{"unit":"POINTS","value":500},"minSizeIncrement":{"unit":"POINTS","value":0.01},
"minStopOrProfitDistance":{"unit":"PERCENTAGE","value":0.01},
"maxStopOrProfitDistance":{"unit":"PERCENTAGE","value":60},"trailingStopsPreference":"NOT_AVAILABLE"},
"snapshot":{"marketStatus":"TRADEABLE","bid":4046.1,"offer":4046.4,"marketModes":["REGULAR"],
"updateTime":"2026-01-05T16:22:20.1"}}]}"""

LOGIN = b"""{"accountType":"CFD","accountInfo":{"balance":1000.0,"deposit":1000.0,"profitLoss":0.0,"available":1000.0},
"currencyIsoCode":"USD","currencySymbol":"$","currentAccountId":"123456789012345678",
"streamingHost":"wss://api-streaming-capital.backend-capital.com/","accounts":[{"accountId":"123456789012345678",
"accountName":"USD","preferred":true,"accountType":"CFD"}],"clientId":"12345678","timezoneOffset":2,
"hasActiveDemoAccounts":true,"hasActiveLiveAccounts":true,"trailingStopsEnabled":false}"""
