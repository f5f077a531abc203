"""What each field of each record means: one word means one thing, so a name has one meaning wherever it stands.

``Type.field`` says it for one type only.
"""

from __future__ import annotations

MEANINGS = {
    # every payload
    "workspace": "The shop.",
    "customer": "The customer: the user id where known, else the anonymous id; with `workspace` the record's key.",
    # events
    "anonymous": "Whether `customer` is an anonymous id.",
    "anonymous_id": "The visitor's anonymous id, where the client told it beside the user id.",
    "name": "The event's or page's name as the shop spells it.",
    "properties": "The shop's own properties, as received.",
    "medium": "Campaign medium of the visit (`context.campaign.medium`).",
    "pii": "Personal fields: email, phone, names, address, birthday, line_id and every trait not listed as plain.",
    "order_id": "The order, unique within the workspace.",
    "amount_minor": "Amount of the order in minor units of `currency`; negative for a return booked as an order.",
    "OrderRefunded.amount_minor": "What was given back, positive, in minor units; null is the rest of the order.",
    "currency": "ISO 4217 code.",
    "products": "What was bought, as received.",
    "cart_id": "The cart.",
    "refund_id": "The refund, where the shop names it.",
    "subscription_id": "The subscription, unique within the workspace.",
    "product_id": "The product.",
    "message_key": "The message: a pure function of one visit of one step.",
    "channel": "email, line, sms, post, phone or webhook.",
    "Withdraw.channel": "The channel that is forbidden; `*` is every one.",
    "machine": "Whether a known scanner or proxy did it, not a person.",
    "url": "Where the link leads.",
    "hard": "Whether the address is bad for good.",
    "traits": "Plain traits that were set; personal ones are in `pii`.",
    "source": "Who turned out to be `target`: an anonymous id, or a customer where `known`.",
    "FactsHandover.source": "The anonymous visitor whose facts these are.",
    "target": "The customer that `source` turned out to be.",
    "known": "Whether both were known customers: recorded as pending, nothing moves.",
    "service": "The service that has forgotten the customer.",
    "until": "The moment of the erasure; what happened later is not forgotten.",
    # journeys
    "journey": "The journey's id.",
    "version": "The journey's published version.",
    "key": "What tells several enrollments of one journey apart (`enter.key`); empty where there is one.",
    "enrollment": "The enrollment: one customer in one journey.",
    "Exit.enrollment": "The enrollment; null is every one in the journey.",
    "reason": "Why, in a word: of an exit or a suppression; empty where there is none to give.",
    "on": "True holds, false lets go on.",
    "kind": "entered, moved, finished, exited, converted, suppressed or corrected.",
    "at": "When it became so, in business time.",
    "from_state": "The state that was left.",
    "to_state": "The state that was entered.",
    "cause": "Why it moved: event, timer, outcome, command, entry or revoked.",
    "cause_id": "The record or timer behind it.",
    "holdout": "Whether the enrollment is in the holdout, which gets no messages.",
    "seq": "Number of the move within its enrollment.",
    "arms": "Arm that each split gave, by state.",
    "state": "The state of the journey that sends.",
    "Outcome.state": "sent, suppressed, failed, unknown or delivered.",
    "send_state": "The state of the journey that sent.",
    # handovers
    "original_id": "The original record's `ce_id`.",
    "original_type": "The original record's `ce_type`.",
    "original_source": "The original record's `ce_source`.",
    "original_topic": "The topic that the original record was on.",
    "occurred_at": "The original record's `ce_time`.",
    "value": "The original record's value, as text.",
    "mode": "The original record's mode: live, backfill or replay.",
    "body_hash": "The original record's `bodyhash`.",
    "hops": "How often it was passed on; three at most.",
    "Withdraw.hops": "How often it was passed on along a chain of merges; 32 at most.",
    "facts": "The facts that move.",
    # messages
    "template": "The template's name within its journey.",
    "message_class": "marketing needs consent and keeps quiet hours, transactional does not.",
    "provider": "The provider: asked for in a send (null: the channel's first), the one that took it in an outcome.",
    "variables": "Values for the template; no address and no name.",
    "decided_at": "When the journey decided to send.",
    "not_after": "After this it is suppressed as `late`.",
    "priority": "Of two sends that a cap allows only one of, the higher goes.",
    "seen": "What the sender had applied of what a send is decided by: the barrier of the send.",
    "cluster": "Id of the Kafka cluster.",
    "offsets": "Next offset by topic without prefix, for the partition number of the record's key.",
    "token": "Number of the attempt that this is the outcome of.",
    "sent_after_exit": "Whether the cancel came when the message was on its way already.",
    "outcome": "What the person found: sent, failed, or resend it.",
    "by": "Who says so.",
    # dead letters
    "dead_letter": "The dead letter's id, of the service that put it aside.",
    "attempt": "How often it had been replayed before: each attempt is made once.",
}


def meaning(type_: str, field: str) -> str:
    """What ``field`` of the payload class ``type_`` means; raises ``LookupError`` where nobody has said."""
    for name in (f"{type_}.{field}", field):
        if name in MEANINGS:
            return MEANINGS[name]
    raise LookupError(f"nobody says what {type_}.{field} means: add it to {__name__}")
