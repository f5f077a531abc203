"""Every rule by which ingest refuses, with a request that breaks it and what to do about it.

A test sends the requests and compares the answers, and holds that no rule in ingest's code is missing here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

Json = Any


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule: what the answer says (``field``, ``rule``, ``status``), what to do, and a request that is refused.

    A rule about size, speed or an outage has no request.
    """

    status: int
    field: str
    rule: str
    do: str
    body: Json = None
    path: str = "/v1/track"
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    keyed: bool = True


WHO = {"userId": "c-1"}
SAVED = {"event": "Saved", **WHO}
ORDER = {"event": "Order Completed", **WHO}
CLOUD = {"specversion": "1.0", "id": "e-1", "source": "shop", "type": "Saved", "subject": "c-1"}
JSON = {"Content-Type": "application/json"}
GZIP = {**JSON, "Content-Encoding": "gzip"}
BINARY = {"ce-specversion": "1.0", "ce-id": "e-1", "ce-source": "shop", "ce-type": "Saved"}
LONG = 257 * "x"
SIZE = "Send less in one request: a hundred events are enough to be fast."
LATER = "Send the same request again, with the same ids, after `Retry-After` seconds."


def order(**properties: Json) -> dict[str, Json]:
    """An order with these properties."""
    return {**ORDER, "properties": {"order_id": "o-1", "total": 1, **properties}}


KEYS = (
    Rule(401, "Authorization", "is empty: the write key goes in as the user of Basic",
         'Put the write key before the colon: `curl -u "$WRITE_KEY:"`.', SAVED,
         headers={"Authorization": "Basic Og=="}, keyed=False),
    Rule(401, "Authorization", "must be Basic with the write key as user and no password",
         "Set the SDK's write key, or send HTTP Basic with an empty password.", SAVED, keyed=False),
    Rule(401, "Authorization", "must be the write key", "Dittofeed's routes take the whole header as key.",
         {"batch": []},
         path="/api/public/apps/batch", keyed=False),
    Rule(401, "api_key", "must be the write key", "PostHog's routes take the write key as `api_key` in the body.",
         {"event": "Saved", "distinct_id": "c-1"}, path="/capture/", keyed=False),
    Rule(401, "Authorization", "is an unknown write key: of another installation, or revoked",
         "Take a key that is listed for this installation.", SAVED, headers={"Authorization": "Basic bm9ib2R5Og=="},
         keyed=False),
    Rule(403, "mode", "must be live or backfill", "Leave `mode` out, or import history with `mode=backfill`.",
         {"batch": [{"type": "page", **WHO}]}, path="/v1/batch?mode=old"),
    Rule(403, "mode", "backfill is for the batch route", "Send history to `/v1/batch?mode=backfill`.", SAVED,
         path="/v1/track?mode=backfill"),
    Rule(403, "mode", "must be live with this write key", "History needs a key of scope backfill.",
         {"batch": [{"type": "page", **WHO}]}, path="/v1/batch?mode=backfill"),
    Rule(429, "", "too many requests with this write key",
         "Wait `Retry-After` seconds; SDKs do. `TABIJI_WRITE_KEY_RATE` is the limit."),
    Rule(429, "", "too many unknown write keys are asked for",
         "Somebody guesses; ask again after `Retry-After` seconds."),
)  # fmt: skip

BODIES = (
    Rule(400, "", "is not valid JSON at character 1", "Send JSON.", "{"),
    Rule(400, "", "is not valid JSON", "Send JSON."),
    Rule(400, "", "must be a JSON object", "Send one event as an object; several go to `/v1/batch`.", []),
    Rule(400, "", "must be UTF-8", "Encode the body as UTF-8.", b'{"event": "\xff"}'),
    Rule(400, "batch", "must be a list of events", 'Send `{"batch": [...]}`.', {"batch": {}}, path="/v1/batch"),
    Rule(400, "batch", "must hold at least one event", "Send no empty batches.", {"batch": []}, path="/v1/batch"),
    Rule(400, "batch", "must hold at most 2500 events", SIZE),
    Rule(413, "", "must be at most 512000 bytes", f"{SIZE} `TABIJI_MAX_BODY_BYTES` is the limit."),
    Rule(413, "", "must be at most 32768 bytes", "An event this large holds what does not belong in it: send a link."),
    Rule(413, "", "must be at most 2097152 bytes once unpacked", SIZE),
    Rule(413, "", "must not unpack to more than 100 times its size", SIZE),
    Rule(408, "", "must arrive within 10 s", "Send the body at once; `TABIJI_BODY_SECONDS` is the limit."),
    Rule(400, "", "is not valid gzip", "Compress with gzip, or leave `Content-Encoding` out.",
         bytes.fromhex("1f8b0700000000000000"), headers=GZIP),
    Rule(400, "", "is not complete gzip", "The body was cut off: send all of it.",
         bytes.fromhex("1f8b08000000000000ff"), headers=GZIP),
    Rule(400, "", "has bytes after the end of gzip", "Send one gzip stream.",
         bytes.fromhex("1f8b0800000000000003030000000000000000007878"), headers=GZIP),
    Rule(400, "", "must not nest deeper than 50", "Flatten the event.",
         f'{{"event": "Saved", "userId": "c-1", "properties": {60 * "["}{60 * "]"}}}'),
    Rule(400, "", "must not nest deeper than 10000", "Flatten the batch."),
    Rule(400, "properties.a", "must not hold U+0000", "Leave NUL characters out.",
         {**SAVED, "properties": {"a": "x\0"}}),
    Rule(400, "properties", "a key must not hold U+0000", "Leave NUL characters out of names.",
         {**SAVED, "properties": {"x\0": 1}}),
    Rule(503, "", "too much is in flight", LATER),
    Rule(503, "", "is not known to be written: send it again with the same ids", LATER),
    Rule(503, "", "write keys cannot be read just now", LATER),
)  # fmt: skip

EVENTS = (
    Rule(400, "0.type", "must be one of alias, group, identify, page, screen, track", "Name the kind of call.",
         {"batch": [WHO]}, path="/v1/batch"),
    Rule(400, "event", "must be the event's name", "A track call names its event.", WHO),
    Rule(400, "event", "must be at most 256 characters", "Give the event a short name; details are properties.",
         {"event": LONG, **WHO}),
    Rule(400, "messageId", "must be at most 256 characters", "Use a UUID.", {**SAVED, "messageId": LONG}),
    Rule(400, "messageId", "must be a string", "Use a UUID.", {**SAVED, "messageId": []}),
    Rule(400, "userId", "is required (or else anonymousId)", "Say whose event it is.", {"event": "Saved"}),
    Rule(400, "userId", "must be the id of one customer: empty, null, guest, 0, undefined and the like are nobody's",
         "Leave `userId` out until the customer is known, and send `anonymousId`.",
         {"event": "Saved", "userId": "guest"}),
    Rule(400, "userId", "must be a string", "Send the id as text.", {"event": "Saved", "userId": ["c-1"]}),
    Rule(400, "userId", "must be at most 256 characters", "Send the id alone.", {"event": "Saved", "userId": LONG}),
    Rule(400, "userId", "is required", "An alias says who the visitor turned out to be.",
         {"anonymousId": "a-1", "previousId": "a-2"}, path="/v1/alias"),
    Rule(400, "previousId", "is required", "An alias says which visitor it was.", WHO, path="/v1/alias"),
    Rule(400, "previousId", "must differ from the user's id", "Nothing to say here: leave the alias out.",
         {**WHO, "previousId": "c-1"}, path="/v1/alias"),
    Rule(400, "groupId", "is required", "A group call names its group.", WHO, path="/v1/group"),
    Rule(400, "0.distinct_id", "must be a customer's: a group alone is nobody's event",
         "Send `$groupidentify` with a customer's `distinct_id`.",
         {"api_key": "phc_TEST", "event": "$groupidentify", "distinct_id": "$shop_1",
          "properties": {"$group_type": "shop", "$group_key": "1"}}, path="/capture/", keyed=False),
    Rule(400, "timestamp", "must be an ISO 8601 time", "Such as 2026-04-01T09:30:00+09:00.",
         {**SAVED, "timestamp": "yesterday"}),
    Rule(400, "timestamp", "must be an ISO 8601 time in a string", "Numbers are not taken: seconds or milliseconds?",
         {**SAVED, "timestamp": 1775000000}),
    Rule(400, "timestamp", "must lie between 1970 and 2200", "Mend the clock or the unit.",
         {**SAVED, "timestamp": "0026-04-01"}),
    Rule(400, "timestamp", "must not lie more than a day ahead", "Mend the clock or the unit.",
         {**SAVED, "timestamp": "2199-01-01"}),
    Rule(400, "properties", "must be an object", "Send `{}` or leave it out.", {**SAVED, "properties": "x"}),
    Rule(400, "properties.order_id", "is required", "An order has an id, unique in the shop.",
         {**ORDER, "properties": {"total": 1}}),
    Rule(400, "properties.total", "is required (or else revenue)", "An order has an amount, in major units.",
         {**ORDER, "properties": {"order_id": "o-1"}}),
    Rule(400, "properties.total", "must be a number", "12.50 for 12.50 USD, without sign or comma.",
         order(total="¥980")),
    Rule(400, "properties.total", "must be an amount of money that a shop can take", "Mend the unit.",
         order(total=1e30)),
    Rule(400, "properties.total", "must be a finite number", "Send a number.", order(total="NaN")),
    Rule(400, "properties.currency", "must be a currency code of ISO 4217", "Such as JPY.", order(currency="YEN")),
    Rule(400, "properties.products", "must be a list of objects", 'Send `[{"product_id": ...}]`.',
         order(products="tea")),
    Rule(400, "properties.products.0", "must be an object", 'Send `[{"product_id": ...}]`.', order(products=["tea"])),
    Rule(400, "properties.channel", "must be one of email, line, phone, post, sms, webhook",
         "Say on which channel.", {"event": "Consent Given", **WHO, "properties": {"channel": "fax"}}),
    Rule(400, "traits.email", "must be a string", "Send an address, or leave it out.",
         {**WHO, "traits": {"email": 1}}, path="/v1/identify"),
)  # fmt: skip

CLOUDEVENTS = (
    Rule(415, "Content-Type", "must be application/cloudevents+json or application/cloudevents-batch+json",
         "JSON is the only format.", "<a/>", path="/v1/events",
         headers={"Content-Type": "application/cloudevents+xml"}),
    Rule(400, "0.specversion", 'must be "1.0"', "Send CloudEvents 1.0.", {**CLOUD, "specversion": "0.3"},
         path="/v1/events"),
    Rule(400, "0.id", "must be a string that is not empty", "Every event has an id; with `source` it is unique.",
         {**CLOUD, "id": ""}, path="/v1/events"),
    Rule(400, "0.type", "must be at most 256 characters", "Give the event a short name.", {**CLOUD, "type": LONG},
         path="/v1/events"),
    Rule(400, "0.data_base64", "is not taken: data must be a JSON object", "Send `data`.",
         {**CLOUD, "data_base64": "eA=="},
         path="/v1/events"),
    Rule(400, "0.source", "is reserved for Tabiji's own services", "Name your own system.",
         {**CLOUD, "source": "tabiji/x"},
         path="/v1/events"),
    Rule(400, "0.ce-type", "must be UTF-8, percent-encoded", "Encode the header's value.", "{}", path="/v1/events",
         headers={**JSON, **BINARY, "ce-type": "%ff"}),
)  # fmt: skip

GROUPS = {
    "The write key and the mode": KEYS,
    "The body": BODIES,
    "An event": EVENTS,
    "CloudEvents": CLOUDEVENTS,
}
