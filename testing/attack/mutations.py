"""Damage images as storage, transmission and malice do; where a format has checksums they are made to fit."""

import random
import struct
import zlib
from collections.abc import Callable

PNG_START = b"\x89PNG\r\n\x1a\n"
SIZES = (0, 1, 2, 0x7F, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Mutation = Callable[[random.Random, bytes, list[bytes]], bytes]


def mutated(rng: random.Random, files: list[bytes]) -> bytes:
    """Return one of `files`, damaged once to three times."""
    data = rng.choice(files)
    for mutation in rng.choices(MUTATIONS, k=rng.randint(1, 3)):
        if data:
            data = mutation(rng, data, files)
    return data


def flip(rng: random.Random, data: bytes, files: list[bytes]) -> bytes:
    """Turn a few bits over."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(rng: random.Random, data: bytes, files: list[bytes]) -> bytes:
    """Put random bytes over some."""
    at = rng.randrange(len(data))
    noise = rng.randbytes(rng.randint(1, 16))
    return data[:at] + noise + data[at + len(noise) :]


def truncate(rng: random.Random, data: bytes, files: list[bytes]) -> bytes:
    """Cut the end off."""
    return data[: rng.randrange(len(data))]


def splice(rng: random.Random, data: bytes, files: list[bytes]) -> bytes:
    """Go on as another file does."""
    other = rng.choice(files)
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def move(rng: random.Random, data: bytes, files: list[bytes]) -> bytes:
    """Take a piece out, and put it in again somewhere, or many times, or nowhere."""
    start = rng.randrange(len(data))
    piece = data[start : start + rng.randint(1, 64)]
    rest = data[:start] + data[start + len(piece) :]
    at = rng.randint(0, len(rest))
    return rest[:at] + piece * rng.choice((0, 1, 2, 50)) + rest[at:]


def resize(rng: random.Random, data: bytes, files: list[bytes]) -> bytes:
    """Put a telling number where a length, a size or an offset may be."""
    form, width = rng.choice(((">I", 4), ("<I", 4), (">H", 2), ("<H", 2)))
    at = rng.randrange(min(len(data), 200))
    number = struct.pack(form, rng.choice(SIZES) & (1 << 8 * width) - 1)
    return data[:at] + number + data[at + width :]


def rechunk(rng: random.Random, data: bytes, files: list[bytes]) -> bytes:
    """Shuffle, repeat, drop or damage the chunks of a PNG, with checksums that fit; leave other files alone."""
    chunks = png_chunks(data)
    if not chunks:
        return data
    at = rng.randrange(len(chunks))
    name, body = chunks[at]
    match rng.randrange(4):
        case 0:
            chunks.insert(rng.randrange(len(chunks)), chunks.pop(at))
        case 1:
            chunks[at:at] = [chunks[at]] * rng.choice((1, 3, 100))
        case 2:
            chunks.pop(at)
        case _ if body:
            chunks[at] = name, resize(rng, flip(rng, body, files), files)
    return png(chunks)


def reheader(rng: random.Random, data: bytes, files: list[bytes]) -> bytes:
    """Give a PNG another size, depth or colour type, with checksums that fit; leave other files alone."""
    chunks = png_chunks(data)
    if not chunks or chunks[0][0] != b"IHDR":
        return data
    width, height = (rng.choice((*SIZES[:7], 44, 5000)) for _ in range(2))
    kinds = (rng.choice((1, 2, 4, 8, 16, 3)), rng.choice((0, 2, 3, 4, 6, 5)), 0, 0, rng.choice((0, 1)))
    chunks[0] = b"IHDR", struct.pack(">II5B", width, height, *kinds)
    return png(chunks)


MUTATIONS: tuple[Mutation, ...] = (flip, overwrite, truncate, splice, move, resize, rechunk, reheader)


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the names and bodies of a PNG's chunks, none if the file is something else."""
    chunks, at = [], len(PNG_START)
    while data.startswith(PNG_START) and at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """Return a PNG of these chunks."""
    packed = [len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4) for name, body in chunks]
    return PNG_START + b"".join(packed)
