"""``docs/errors.md``: what a refusal means and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tabiji_cli.docs.markdown import code, page, table
from tabiji_cli.docs.refusals import GROUPS, Rule

OPENING = """
A request that is refused is answered with the field and the rule that it breaks, and never with a value of yours:
""".strip()
ANSWER = """
```json
{"error": {"field": "properties.total", "rule": "must be a number"}}
```
""".strip()
BATCHES = """
Ingest says `code` (the kind of rule) and `message` beside it. Of a batch, what is good is taken and answered 200;
`rejected` names what is not, by `index`, `field` and `rule`. It is 400 only where nothing was good, and `field` then
begins with the index of the first bad event (`0.userId`). What a 400 names will never be taken: mend it, and do not
send it again as it is. 408, 429 and 503 are about now: send the same request again, with the same ids.
""".strip()
OTHERS = """
| status | rule | what to do |
|---|---|---|
| 400 | `tz`: must be a zone of the IANA database, such as Asia/Tokyo | Name a zone: analytics |
| 400 | `tz`: must be a zone that the database knows | Name another: PostgreSQL's list of zones lacks it |
| 400 | `workspace`: must be text without NUL | Name a workspace: analytics |
| 400 | must be text without NUL | Leave NUL characters out: journey, dispatch, analytics |
| 400 | `day`: must be a day of this age | Name a day as YYYY-MM-DD: analytics |
| 400 | `version`: must be a version that there can be | A version of a journey is a number from 1 on: analytics |
| 404 | `name`: must be one of … | Name one of the views that it lists: analytics |
| 404 | `journey`: no journey … in workspace … | `GET /v1/journeys` lists them: journey |
| 404 | `verb`: must be one of … | Name a command that it lists: journey |
| 404 | `key`: no such message | `GET /v1/deliveries` lists them: dispatch |
| 404 | `id`: there is no such dead letter | `tabiji dlq list --state all` lists them: journey, dispatch, analytics |
| 404, 405 | Not Found, Method Not Allowed | `/docs` on every API's port lists the routes; `Allow` the methods |
| 409 | `state`: a … message cannot be settled | Only an unknown one can be: dispatch |
| 409 | `outcome`: it was settled as … before, and is … now | Somebody said otherwise; the first word stands: dispatch |
| 413 | `body`: a document has at most … bytes | Make the journey smaller: journey |
| 422 | `body`: must be UTF-8, or what is wrong with the command | Mend the document or the command: journey |
| 422 | `scope`: a … switch is named by … | Name what the switch stops: dispatch |
| 422 | `ids`: must name ids, a topic, a reason or a time, or say all | Say which: journey, dispatch, analytics |
| 422 | `since`: must have a zone | Add `Z` or an offset to the instant: journey, dispatch, analytics |
| 422 | `since`: must be an instant that there can be | Name one in the years 1 to 9999: journey, dispatch, analytics |
| 422 | the field, and what the framework says of it | Mend the query or the body |
| 503 | the database does not answer | Ask again after `Retry-After` seconds |
| 503 | the log did not take it; ask again, with the same Idempotency-Key | The same; the command is made once |

A journey that is refused is answered 422 with file, line and rule of each finding.
""".strip()
LONGEST = 150


def errors_page() -> str:
    """The page."""
    parts = [part for title, rules in GROUPS.items() for part in (f"## {title}", _table(rules))]
    return page("Errors", OPENING, ANSWER, BATCHES, *parts, "## Other services", OTHERS)


def _table(rules: tuple[Rule, ...]) -> str:
    rows = ((str(one.status), code(one.field), one.rule, example(one), one.do) for one in rules)
    return table(["status", "field", "rule", "for example", "what to do"], rows)


def example(rule: Rule) -> str:
    """The request that breaks it, as far as it can be shown on a line."""
    if rule.body is None:
        return ""
    shown = [
        f"{name}: {value}" for name, value in rule.headers.items() if name != "Content-Type" or len(rule.headers) == 1
    ]
    return " ".join(code(part) for part in (f"POST {rule.path}", *shown, *_body(rule)))


def _body(rule: Rule) -> Iterator[str]:
    if isinstance(rule.body, bytes):
        return
    text = rule.body if isinstance(rule.body, str) else json.dumps(rule.body, ensure_ascii=True)
    yield text if len(text) <= LONGEST else f"{text[:60]}…"
