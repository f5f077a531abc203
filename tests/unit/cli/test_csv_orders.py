"""Reading orders to import: what is right comes through, what is wrong is named by line and column."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tabiji_cli.csvorders import BadLine, ImportedOrder, read

HEADER = "order_id,customer_id,ordered_at,amount,currency,medium\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "orders.csv"
    path.write_text(text, "utf-8")
    return path


def test_a_line_becomes_an_order(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "o1,c1,1997-01-01T10:00:00+09:00,-1250,USD,cpc\n")
    assert list(read(path, "JPY")) == [
        ImportedOrder(2, "o1", "c1", datetime.fromisoformat("1997-01-01T10:00:00+09:00"), -1250, "USD", "cpc")
    ]


def test_a_date_is_midnight_utc_and_the_currency_may_be_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "order_id,customer_id,ordered_at,amount\no1,c1,1997-01-01,1250\n")
    (order,) = read(path, "JPY")
    assert isinstance(order, ImportedOrder)
    assert (order.ordered_at, order.currency, order.medium) == (datetime(1997, 1, 1, tzinfo=UTC), "JPY", None)


def test_columns_may_stand_in_any_order_behind_a_byte_order_mark(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeffamount,note,ordered_at,customer_id,order_id\n5,hello,1997-01-01,c,o\n")
    assert [order.order_id for order in read(path, "JPY") if isinstance(order, ImportedOrder)] == ["o"]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("o1,c1,1997-01-01,12.50,USD,", "amount"),
        ("o1,c1,1997-01-01,,USD,", "amount"),
        ("o1,c1,1997-01-01,NaN,USD,", "amount"),
        ("o1,c1,01/02/1997,5,USD,", "ordered_at"),
        ("o1,,1997-01-01,5,USD,", "customer_id"),
        (",c1,1997-01-01,5,USD,", "order_id"),
        ("o1,c1,1997-01-01,5,dollars,", "currency"),
        ("o1,c1,1997-01-01,5,USD,cpc,more", "line"),
    ],
)
def test_what_is_wrong_is_named_by_line_and_column(tmp_path: Path, line: str, column: str) -> None:
    path = written(tmp_path, HEADER + "o0,c0,1997-01-01,1,USD,\n" + line + "\n")
    good, bad = read(path, "JPY")
    assert isinstance(good, ImportedOrder)
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.column) == (3, column)
    assert str(bad).startswith(f"orders.csv, line 3, {column}: ")


def test_a_header_that_lacks_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadLine, match=r"line 1, header: lacks ordered_at, amount"):
        list(read(written(tmp_path, "order_id,customer_id\n"), "JPY"))


def test_lines_before_the_one_asked_for_are_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "".join(f"o{n},c,1997-01-01,1,USD,\n" for n in range(5)))
    assert [order.line for order in read(path, "JPY", from_line=4) if isinstance(order, ImportedOrder)] == [4, 5, 6]


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(HEADER.encode() + b"\x81\x00\n")
    with pytest.raises(BadLine, match="line 1, text: is neither UTF-8 nor Shift_JIS"):
        list(read(path, "JPY"))


def test_shift_jis_is_read_as_such(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes((HEADER.strip() + ",氏名\no1,顧客一,2026-01-01,1980,JPY,検索,山田\n").encode("cp932"))
    [order] = read(path, "JPY")
    assert isinstance(order, ImportedOrder)
    assert (order.customer_id, order.medium) == ("顧客一", "検索")
