"""The part of protocol buffers' wire format that is written by hand, where the library would copy what is large."""

LENGTH_DELIMITED = 2  # the kind of a field of bytes, text, a message or packed numbers


def field_head(number: int, size: int) -> bytes:
    """Return what goes before the `size` bytes of the length-delimited field `number`."""
    return _varint(number << 3 | LENGTH_DELIMITED) + _varint(size)


def _varint(number: int) -> bytes:
    """Return a number in seven bits a byte, the lowest first; all bytes but the last have the eighth bit set."""
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes(digits) + bytes([number])
