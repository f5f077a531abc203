"""When two runs did the same."""

from __future__ import annotations

from dataclasses import replace

from tabiji_cli.demo.digest import differences, digest, meaningful
from tests.unit.cli.support import perfect, with_table


def test_the_same_run_has_the_same_digest_in_whatever_order_it_is_read() -> None:
    run = perfect()
    turned = replace(run, mails=list(reversed(run.mails)), deliveries=dict(reversed(list(run.deliveries.items()))))
    assert differences(digest(run), digest(turned)) == []


def test_one_figure_in_one_table_is_a_difference_and_is_named() -> None:
    run = perfect()
    rows = [dict(row) for row in run.tables["repeat_purchase"]]
    rows[0]["customers"] += 1
    found = differences(digest(run), digest(with_table(run, "repeat_purchase", rows)))
    assert len(found) == 1
    assert found[0].startswith("/tables/repeat_purchase/")


def test_another_mail_is_a_difference() -> None:
    run = perfect()
    assert differences(digest(run), digest(replace(run, mails=run.mails[1:])))


def test_a_mail_at_another_tick_is_a_difference() -> None:
    import msgspec

    run = perfect()
    moved = [msgspec.structs.replace(run.mails[0], at=run.mails[1].at), *run.mails[1:]]
    assert differences(digest(run), digest(replace(run, mails=moved)))


def test_unknown_outcomes_stand_apart() -> None:
    run = perfect()
    document = digest(run)
    assert differences(document, {**document, "unknown": ["somebody"]}) == []


def test_a_run_with_too_little_in_it_is_named() -> None:
    assert any(line.startswith("opens: 1") for line in meaningful(digest(perfect()), least=30))
