"""Wrong patches, planted one at a time to see that the seeded world finds each."""
