"""All decisions, pure: an event and a time go in, commands come out."""
