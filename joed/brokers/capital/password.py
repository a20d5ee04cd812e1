"""The encrypted login: a password under the server's RSA key, so that no proxy's log ever holds it.

The documentation says AES; what the server takes is RSA with PKCS #1 v1.5 padding (RFC 8017, 7.2.1) around
base64(password|timeStamp). Encrypting under a public key is one power, so no library is asked for it.
"""

import base64
import binascii
import secrets

from joed.errors import BadMessage

MODULUS_BITS_MIN, MODULUS_BITS_MAX = 1024, 8192
PADDING_BYTES = 11
SEQUENCE, BITS, INTEGER = 0x30, 0x03, 0x02


def encrypted(password: str, key: str, stamp: int) -> str:
    """Give the password as POST /session wants it, under the key (base64 of a SubjectPublicKeyInfo) and its time."""
    modulus, exponent = public_key(key)
    size = (modulus.bit_length() + 7) // 8
    message = base64.b64encode(f"{password}|{stamp}".encode())
    if len(message) > size - PADDING_BYTES:
        raise BadMessage(f"a password of {len(password)} characters does not fit under a key of {size * 8} bits")
    padding = bytes(secrets.choice(range(1, 256)) for _ in range(size - len(message) - 3))
    block = b"\0\2" + padding + b"\0" + message
    cipher = pow(int.from_bytes(block, "big"), exponent, modulus)
    return base64.b64encode(cipher.to_bytes(size, "big")).decode()


def public_key(key: str) -> tuple[int, int]:
    """Read modulus and exponent from the base64 of an X.509 SubjectPublicKeyInfo; BadMessage for anything else."""
    try:
        info, rest = _take(base64.b64decode(key, validate=True), SEQUENCE)
        _algorithm, info = _take(info, SEQUENCE)
        bits, info = _take(info, BITS)
        pair, _ = _take(bits[1:], SEQUENCE)  # a bit string begins with the count of its unused bits
        modulus, pair = _take(pair, INTEGER)
        exponent, pair = _take(pair, INTEGER)
    except (binascii.Error, IndexError, ValueError):
        raise BadMessage("the server's key is no RSA key") from None
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if rest or info or pair or not MODULUS_BITS_MIN <= n.bit_length() <= MODULUS_BITS_MAX or not 3 <= e < n:
        raise BadMessage("the server's key is no RSA key")
    return n, e


def _take(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Take one DER value with this tag from the front: its content, and what follows."""
    if data[0] != tag:
        raise ValueError(tag)
    length, start = data[1], 2
    if length & 0x80:
        count = length & 0x7F
        start = 2 + count
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError(length)
    return data[start : start + length], data[start + length :]
