"""What joed raises: the world failed, or a person must mend something. Expected refusals are values, not these."""


class JoedError(Exception):
    """Everything joed raises on purpose."""


class ConfigError(JoedError):
    """A setting is wrong: fatal at start, names the key and the file."""


class BrokerUnavailable(JoedError):
    """The broker does not answer: retried with backoff, becomes BrokerDown."""


class BadMessage(JoedError):
    """A message that cannot be what it claims: kept whole in the journal, counted, never guessed at."""
