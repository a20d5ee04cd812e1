"""joed.brokers.capital.password: the login's encryption, undone with a key that only the test has."""

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.brokers.capital.password import encrypted, public_key
from joed.errors import BadMessage

EXPONENT = 65537


def prime(bits, rng):
    """Give a number that is as good as prime: it passes Miller and Rabin's test forty times."""
    while True:
        candidate = rng.getrandbits(bits) | 1 | (3 << (bits - 2))
        odd, twos = candidate - 1, 0
        while odd % 2 == 0:
            odd, twos = odd // 2, twos + 1
        if all(passes(candidate, rng.randrange(2, candidate - 1), odd, twos) for _ in range(40)):
            return candidate


def passes(candidate, base, odd, twos):
    """Say whether a base does not betray a number as composite."""
    found = pow(base, odd, candidate)
    if found in (1, candidate - 1):
        return True
    for _ in range(twos - 1):
        found = found * found % candidate
        if found == candidate - 1:
            return True
    return False


def der(tag, content):
    """Write one DER value."""
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82, size >> 8, size & 255])
    return bytes([tag]) + length + content


def integer(value):
    """Write a DER integer, positive."""
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


@pytest.fixture(scope="module")
def key():
    """Give a key pair of 1024 bits: the public half as the server sends it, modulus and private exponent."""
    rng = random.Random(5)
    p, q = prime(512, rng), prime(512, rng)
    pair = der(0x30, integer(p * q) + integer(EXPONENT))
    algorithm = der(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    info = der(0x30, algorithm + der(3, b"\0" + pair))
    return base64.b64encode(info).decode(), p * q, pow(EXPONENT, -1, (p - 1) * (q - 1))


def test_the_server_reads_password_and_time(key):
    """RSA with PKCS #1 v1.5 padding around base64(password|timeStamp), all of it base64."""
    text, modulus, private = key

    cipher = base64.b64decode(encrypted("pass|wörd", text, 1649058606014))
    block = pow(int.from_bytes(cipher, "big"), private, modulus).to_bytes(128, "big")

    kind, padding, message = block[:2], *block[2:].split(b"\0", 1)
    assert kind == b"\0\2"
    assert len(padding) >= 8
    assert base64.b64decode(message).decode() == "pass|wörd|1649058606014"


def test_no_two_ciphertexts_are_alike(key):
    """The padding is drawn anew: a listener learns nothing from seeing two."""
    assert encrypted("word", key[0], 1) != encrypted("word", key[0], 1)


def test_a_password_that_does_not_fit_is_refused(key):
    """Cut, it would be another password."""
    with pytest.raises(BadMessage, match="does not fit"):
        encrypted("x" * 200, key[0], 1)


@given(st.binary(max_size=60).map(lambda data: base64.b64encode(data).decode()) | st.text(max_size=40))
def test_what_is_no_key_is_refused(text):
    """Any bytes are a key or a BadMessage."""
    with pytest.raises(BadMessage):
        public_key(text)


def test_the_key_is_read_as_it_was_made(key):
    """Modulus and exponent come out."""
    assert public_key(key[0]) == (key[1], EXPONENT)
