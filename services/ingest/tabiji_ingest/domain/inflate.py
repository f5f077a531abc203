"""Compressed body -> body, bounded in size and in ratio."""

from __future__ import annotations

import zlib

from tabiji_ingest.domain.refusal import Kind, Refusal

_GZIP = b"\x1f\x8b"
_STEP = 64 * 1024


def inflate(body: bytes, *, max_bytes: int, max_ratio: int) -> bytes:
    """``body`` itself, or what it holds where it begins like gzip: the body decides, not a header.

    No more than ``max_bytes`` + 64 KiB are ever made, and beyond the first 64 KiB no more than ``max_ratio`` bytes for
    each one received. Raises ``Refusal``.
    """
    if body[:2] != _GZIP:
        return body
    stream = zlib.decompressobj(wbits=31)
    made, rest = bytearray(), body
    try:
        while rest and not stream.eof:
            made += stream.decompress(rest, _STEP)
            rest = stream.unconsumed_tail
            if len(made) > max_bytes:
                raise Refusal("", f"must be at most {max_bytes} bytes once unpacked", Kind.LARGE)
            if len(made) > max(_STEP, max_ratio * len(body)):
                raise Refusal("", f"must not unpack to more than {max_ratio} times its size", Kind.LARGE)
    except zlib.error:
        raise Refusal("", "is not valid gzip", Kind.ENCODING) from None
    if not stream.eof:
        raise Refusal("", "is not complete gzip", Kind.ENCODING)
    if stream.unused_data:
        raise Refusal("", "has bytes after the end of gzip", Kind.ENCODING)
    return bytes(made)
