"""The budgets, measured beside their floors."""
