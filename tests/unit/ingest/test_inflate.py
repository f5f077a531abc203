"""Compressed bodies: the body decides, and no bomb goes off."""

import gzip
import tracemalloc

import pytest

from tabiji_ingest.domain.inflate import inflate
from tabiji_ingest.domain.refusal import Refusal

MIB = 1024 * 1024


def unpack(body: bytes) -> bytes:
    return inflate(body, max_bytes=2 * MIB, max_ratio=100)


def test_what_begins_like_gzip_is_unpacked_and_the_rest_is_left_alone() -> None:
    assert unpack(gzip.compress(b'{"batch":[]}')) == b'{"batch":[]}'
    assert unpack(b'{"batch":[]}') == b'{"batch":[]}'
    assert unpack(b"") == b""


def test_a_body_of_ordinary_ratio_passes_up_to_the_cap() -> None:
    body = b"".join(f'{{"n":{n},"h":"{hash(str(n))}"}}'.encode() for n in range(60_000))[: 2 * MIB]
    assert unpack(gzip.compress(body)) == body


def test_a_bomb_is_refused_without_being_unpacked() -> None:
    bomb = gzip.compress(b"0" * (100 * MIB))
    tracemalloc.start()
    with pytest.raises(Refusal, match="more than 100 times"):
        inflate(bomb[:1000], max_bytes=2 * MIB, max_ratio=100)
    with pytest.raises(Refusal, match="at most"):
        inflate(bomb, max_bytes=2 * MIB, max_ratio=10**6)
    assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"x" * 100)[:-4], gzip.compress(b"x") + b"y", b"\x1f\x8b", b"\x1f\x8bnot gzip at all",
     gzip.compress(b"a") + gzip.compress(b"b"), gzip.compress(b"abc")[:-8] + b"\0" * 8],
)  # fmt: skip
def test_broken_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal, match="gzip"):
        unpack(body)
