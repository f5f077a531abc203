"""python rudder_python.py URL COUNT RUN: COUNT orders and one call of every other kind; prints the ids as JSON."""

import json
import sys

from rudderstack.analytics.client import Client

url, count = sys.argv[1], int(sys.argv[2])
errors: list[str] = []
sdk = Client(
    "TESTKEY",
    host=url,
    upload_size=10,
    upload_interval=0.2,
    on_error=lambda error, items: errors.append(str(error)),
)
sent = [sdk.identify("rp-0", {"plan": "gold"})]
for n in range(count):
    order = {"order_id": f"rp-{n}", "total": 1980, "currency": "JPY", "products": [{"product_id": "抹茶 ☕️"}]}
    sent.append(sdk.track(f"rp-{n % 5}", "Order Completed", order))
sent.append(sdk.page("rp-0", "Shop", "Cart"))
sent.append(sdk.screen("rp-0", "Shop", "Home"))
sent.append(sdk.group("rp-0", "g-1", {"plan": "team"}))
sdk.flush()
sdk.join()
print(json.dumps({"ids": [message["messageId"] for _, message in sent], "errors": errors}))
