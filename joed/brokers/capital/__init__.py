"""Capital.com's adapter: REST for orders and books, a WebSocket for prices, polling where there is no stream."""
