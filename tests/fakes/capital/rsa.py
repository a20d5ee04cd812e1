"""The fake's RSA key, 2048 bits, for encrypted logins: it really decrypts, and protects nothing."""

import base64

P = int(
    "e3a0bf87d395669563abb4bc257de75c6cdbe004f737856d0a810916f601c0ee4b168c28c629260128a12a598c3894f878d39bd0d14e7f6e"
    "42a35976802f174aab7360a958877273b58512a3c72eae053f6b93ce4a3d8590e7c0ed7789bd5e56af348142fa347ed27282fcf0fd4c4a1a"
    "4006dc6bdecdea5edd33fb7f442b7515",
    16,
)
Q = int(
    "efe8287acc6873a21d701b56c48a3a2ae4bb8233256013d7a82cbf78555fe32d28b82fe21c36c346e77d272f408d45ead41ea7cbf759bcfc"
    "dcc00522c059e1a2b5eca3f5dec2c5f94c3ec49458733bb58bd0990bf2f878d53667096afd3b5bf2b7eb54143b9037fff8bd3b238f61aea1"
    "1b932fca9e558585211f7f4ce3bb1a5f",
    16,
)
E = 65_537
N, D = P * Q, pow(E, -1, (P - 1) * (Q - 1))
SIZE = 256
RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")
"""The algorithm's name in DER, as X.509 has it."""


def der(tag, content):
    """Give one DER value."""
    length = len(content)
    head = bytes([length]) if length < 0x80 else bytes([0x82]) + length.to_bytes(2, "big")
    return bytes([tag]) + head + content


def integer(number):
    """Give an integer in DER."""
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


PUBLIC_KEY = base64.b64encode(
    der(0x30, RSA_ENCRYPTION + der(0x03, b"\0" + der(0x30, integer(N) + integer(E))))
).decode()
"""A SubjectPublicKeyInfo, as the service hands it out."""


def decrypted(cipher):
    """Give what was encrypted under the public key; ValueError where it was not."""
    block = pow(int.from_bytes(cipher, "big"), D, N).to_bytes(SIZE, "big")
    end = block.find(b"\0", 2)
    if len(cipher) != SIZE or block[:2] != b"\0\2" or end < 10:
        raise ValueError("not encrypted under this key")
    return block[end + 1 :]


def encrypted(message, padding):
    """Encrypt as a client does; `padding` are bytes other than nought that fill the block."""
    block = b"\0\2" + padding[: SIZE - len(message) - 3] + b"\0" + message
    return pow(int.from_bytes(block, "big"), E, N).to_bytes(SIZE, "big")
