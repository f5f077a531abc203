"""Rows about time, on the journey's pipeline over the real database, turn by turn: outages, zones, races, jumps."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from tabiji_common.clock import LiveClock
from tabiji_common.commands import Transition
from tabiji_common.kafka.turn import Received
from tests.faults.ground import Ground
from tests.faults.suite import Figures, row
from tests.integration.journey.desk import Desk, open_desk
from tests.unit.journey.domain.test_civil import ZONES
from tests.unit.journey.pipeline.people import CART, MONDAY, after, cart, order, outcome, received

REMINDED = timedelta(hours=4)  # after the cart
LATENESS = timedelta(days=1)  # the journey's default
TURN = 200  # customers


@asynccontextmanager
async def desk_at(place: Ground, *documents: str) -> AsyncIterator[Desk]:
    """The journey pipeline on a database of its own, in turns small enough for a busy machine."""
    async with place.plot() as (dsn, _, _), open_desk(dsn, *documents, timers=TURN) as desk:
        yield desk


def moves(desk: Desk) -> list[Transition]:
    """Every transition that left, in order."""
    return [record.body for record in desk.sent if isinstance(record.body, Transition)]


def torn(found: Sequence[Transition]) -> int:
    """Enrollments whose transitions are not numbered 0, 1, 2, … once each."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for move in found:
        if move.kind not in {"corrected", "converted", "suppressed"}:
            numbers[move.enrollment].append(move.seq)
    return sum(len(set(seqs)) != len(seqs) or seqs != sorted(seqs) for seqs in numbers.values())


def out_of(found: Sequence[Transition], state: str) -> Counter[str]:
    """How often each enrollment left a state."""
    leaving = {"moved", "exited", "finished"}
    return Counter(move.enrollment for move in found if move.from_state == state and move.kind in leaving)


@row(
    25,
    runs=3,
    seconds=1800,
    note="released in turns of 200 customers, below the runtime's release rate",
)
async def outage(place: Ground, seed: int, *, customers: int = 100_000) -> Figures:
    """Carts over 36 hours, and nobody there to remind; then all at once: late ones are skipped, the others sent."""
    async with desk_at(place, CART) as desk:
        hours = {f"c{n}": (n * 36 / customers) for n in range(customers)}
        events = [received(cart("c", who), f"cart {who}", after(hours=at)) for who, at in hours.items()]
        for some in batches(events, TURN):
            await desk.takes(*some, fire=False)
        back = after(hours=36)
        begun, turns, peak = LiveClock().elapsed(), 0, 0
        while True:
            before = len(desk.sends())
            applied = await desk.takes(now=back)
            peak = max(peak, len(desk.sends()) - before)
            turns += 1
            if not applied.again:
                break
        seconds = LiveClock().elapsed() - begun
        await desk.takes(now=back)
        due = {who for who, at in hours.items() if after(hours=at) + REMINDED <= back}
        late = {who for who in due if after(hours=hours[who]) + REMINDED + LATENESS < back}
        sent = Counter(send.customer for send in desk.sends() if send.template == "cart/cart-reminder")
        await desk.nobody_is_lost(back)
        return Figures(
            events=customers,
            lost=len(due - late - set(sent)),
            doubled=sum(n - 1 for n in sent.values()) + len(set(sent) - (due - late)),
            inversions=torn(moves(desk)),
            other={
                "sent": len(sent),
                "skipped as late": len(late),
                "most in a turn": peak,
                "fired/s": len(due) / seconds,
            },
        )


def batches(records: Sequence[Received], size: int) -> list[Sequence[Received]]:
    return [records[n : n + size] for n in range(0, len(records), size)]


NIGHTLY = """
id: zone-{number}
timezone: {zone}
enter: {{on: product_added, key: cart_id, reenter: never}}
start: night
states:
  night: {{wait: {{until: "{at}"}}, next: day}}
  day: {{wait: {{for: 1s}}, next: night}}
"""


@row(26, runs=4, seconds=600)
async def clock_changes(place: Ground, seed: int, *, days: int = 366) -> Figures:
    """A wait until a local time, day after day for a year, in 30 zones, against each zone's own quarter hours."""
    at = (time(2, 30), time(0), time(1, 30), time(3))[seed % 4]
    documents = [NIGHTLY.format(number=n, zone=zone, at=f"{at:%H:%M}") for n, zone in enumerate(ZONES)]
    async with desk_at(place, *documents) as desk:
        await desk.takes(received(cart("c"), "cart", MONDAY))
        for day in range(1, days + 1):
            await desk.takes(now=after(days=day))
        met: dict[str, list[datetime]] = defaultdict(list)
        for move in moves(desk):
            if move.from_state == "night":
                met[move.journey].append(move.at)
        figures = Figures(0)
        for n, zone in enumerate(ZONES):
            wanted = expected(ZoneInfo(zone), at, MONDAY, after(days=days))
            found = met[f"zone-{n}"]
            figures.faults += 1
            figures.events += len(wanted)
            figures.lost += len(set(wanted) - set(found))
            figures.doubled += len(found) - len(set(found)) + len(set(found) - set(wanted))
            figures.inversions += found != sorted(found)
        return figures


def expected(zone: ZoneInfo, at: time, start: datetime, end: datetime) -> list[datetime]:
    """The policy's instants, found by looking at all quarters of an hour: the first at or, in a gap, beyond ``at``."""
    met: dict[object, datetime] = {}
    quarter = start - timedelta(days=1)
    while quarter <= end:
        local = quarter.astimezone(zone)
        if local.time().replace(tzinfo=None) >= at:
            met.setdefault(local.date(), quarter)
        elif local.date() not in met and (local - timedelta(days=1)).date() not in met and quarter > start:
            met.setdefault(local.date() - timedelta(days=1), quarter)  # the rest of that day was left out
        quarter += timedelta(minutes=15)
    return sorted(instant for instant in met.values() if start < instant <= end)


@row(27, runs=3, seconds=900)
async def timer_against_event(place: Ground, seed: int, *, customers: int = 10_000) -> Figures:
    """A purchase within two seconds of the reminder, before, at and after it, read with it, before it or after it."""
    async with desk_at(place, CART) as desk:
        people = [f"s{seed}c{n}" for n in range(customers)]
        for some in batches([received(cart("c", who), f"cart {who}", MONDAY) for who in people], TURN):
            await desk.takes(*some)
        wrong = 0
        for number, some_people in enumerate(people[n : n + TURN] for n in range(0, customers, TURN)):
            wrong += await race(desk, some_people, number)
        found = moves(desk)
        left = out_of(found, "browsing")
        await desk.nobody_is_lost(after(hours=5))
        return Figures(
            faults=customers,
            events=customers * 2,
            lost=customers - len(left),
            doubled=sum(n - 1 for n in left.values()) + wrong,
            inversions=torn(found),
            other={"exits instead of a timer, or the reverse": wrong},
        )


async def race(desk: Desk, people: Sequence[str], number: int) -> int:
    """Purchases of ``people`` around the time at which their reminder is due; how many ended as they should not."""
    apart = [timedelta(milliseconds=500 * (n % 9 - 4)) for n in range(len(people))]
    bought = {
        who: received(order(f"o {who}", customer=who, cart_id="c"), f"o {who}", after(hours=4) + delta)
        for who, delta in zip(people, apart, strict=True)
    }
    seen = len(desk.sent)
    if number % 3 == 1:
        await desk.takes(now=after(hours=4, seconds=-3))
    await desk.takes(*bought.values(), now=after(hours=4, seconds=3), fire=number % 3 != 2, release=False)
    await desk.takes(now=after(hours=4, seconds=3))
    how = {
        record.body.customer: record.body.kind
        for record in reversed(desk.sent[seen:])
        if isinstance(record.body, Transition)
        and record.body.from_state == "browsing"
        and record.body.kind in {"exited", "moved"}
    }
    first = {who: "exited" if delta <= timedelta() else "moved" for who, delta in zip(people, apart, strict=True)}
    return sum(how.get(who) not in {None, kind} for who, kind in first.items())


@row(
    24,
    runs=10,
    note="the journey's pipeline alone, below the runtime's guard against a clock that leaps ahead",
)
async def clock_steps(place: Ground, seed: int, *, customers: int = 200) -> Figures:
    """The clock goes back an hour, forth again, and a day ahead, with turns in between."""
    async with desk_at(place, CART) as desk:
        people = [f"c{n}" for n in range(customers)]
        await desk.takes(*(received(cart("c", who), f"cart {who}", MONDAY) for who in people))
        steps = [2.0, 3.5, 2.5, 3.9, 1.0 + seed / 10, 4.1, 3.1, 4.2, 0.0, 4.3]
        early = 0
        for hours in steps:
            await desk.takes(now=after(hours=hours))
            early += sum(1 for send in desk.sends()) if hours < 4 and max(steps[: steps.index(hours) + 1]) < 4 else 0
        reminded = Counter(send.customer for send in desk.sends())
        told = [outcome(one, "sent", after(hours=4.3), one.customer) for one in desk.sends()]
        answers = [received(body, f"sent {body.message_key}", after(hours=4.3)) for body in told]
        await desk.takes(*answers, now=after(hours=4.3))
        await desk.takes(now=after(hours=30))
        await desk.takes(now=after(hours=30))
        massed = len(desk.sends()) - sum(reminded.values())
        left = out_of(moves(desk), "browsing")
        return Figures(
            faults=len(steps) + 1,
            events=customers,
            lost=customers - len(reminded),
            doubled=early + sum(n - 1 for n in reminded.values()) + sum(n - 1 for n in left.values()),
            inversions=torn(moves(desk)),
            other={"sent at once after a jump of a day": massed, "early": early},
        )
