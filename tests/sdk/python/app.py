# Everything that Sentry's Python SDK can send, with fixed values; python/expected.mjs is the table.
# The SDK of Debian 12 is much older than the newest of PyPI: what it does not have is left out.
import logging
import os
import sys
import time

import sentry_sdk
from sentry_sdk.envelope import Envelope, Item, PayloadRef

new = not sentry_sdk.VERSION.startswith("1.")
if new:
    options = {"enable_logs": True, "profiles_sample_rate": 1.0, "include_local_variables": True}
else:
    options = {}
sentry_sdk.init(
    os.environ["SENTRY_DSN"],
    release="shop@1.4.2",
    environment="quay",
    dist="7",
    server_name="till-3",
    traces_sample_rate=1.0,
    **options,
)

sentry_sdk.set_user({"id": "42", "email": "ada@example.com", "username": "ada"})
sentry_sdk.set_tag("shift", "night")
sentry_sdk.set_context("tank", {"fuel": "diesel", "level": 7, "sealed": True})
sentry_sdk.set_extra("queue", [1, 2, 3])
sentry_sdk.add_breadcrumb(category="ui.click", message="clicked pay", level="info", data={"button": "pay"})
sentry_sdk.add_breadcrumb(category="till", type="debug", message="drawer stuck", level="warning")

if new:
    sentry_sdk.get_isolation_scope().start_session(session_mode="application")
else:
    sentry_sdk.Hub.current.start_session(session_mode="application")


def pay(amount):
    raise TypeError("card reader unplugged")


try:
    pay(12)
except TypeError as error:
    crash = sentry_sdk.capture_exception(error)


def connect():
    raise ConnectionError("socket closed")


def read_sensor():
    try:
        connect()
    except ConnectionError as cause:
        raise RuntimeError("sensor lost") from cause


try:
    read_sensor()
except RuntimeError:
    with sentry_sdk.push_scope() as scope:
        scope.fingerprint = ["sensor", "lost"]
        scope.set_level("fatal")
        sentry_sdk.capture_exception()

logging.getLogger("plant").error("pump %d at %s", 7, "dock")

with sentry_sdk.push_scope() as scope:
    scope.add_attachment(filename="receipt.txt", bytes="paid 12 €\n".encode(), content_type="text/plain")
    scope.add_attachment(filename="scan.bin", bytes=bytes([0, 255, 10, 13, 0, 1]))
    sentry_sdk.capture_message("printer on fire", "error")


def count_tills():
    until = time.monotonic() + 0.15
    while time.monotonic() < until:
        sum(range(1000))


name = {"name": "SELECT tills"} if new else {"description": "SELECT tills"}
inner = {"name": "till:3"} if new else {"description": "till:3"}
with sentry_sdk.start_transaction(op="task", name="checkout"):
    with sentry_sdk.start_span(op="db.query", **name):
        with sentry_sdk.start_span(op="cache.get", **inner):
            pass
    count_tills()

if new:
    from sentry_sdk import crons, metrics
    from sentry_sdk import logger

    logger.info("till opened", attributes={"till": 3, "open": True, "ratio": 0.5})
    logger.error("drawer {which} jammed", which="B")
    metrics.count("sales", 3, attributes={"lane": "left"})
    metrics.gauge("queue.length", 5)
    metrics.distribution("wait", 187.5, unit="millisecond")
    config = {
        "schedule": {"type": "crontab", "value": "0 3 * * *"},
        "checkin_margin": 5,
        "max_runtime": 30,
        "timezone": "Europe/Amsterdam",
    }
    check_in = crons.capture_checkin(monitor_slug="nightly-count", status="in_progress", monitor_config=config)
    crons.capture_checkin(monitor_slug="nightly-count", check_in_id=check_in, status="ok", duration=12.5)

# The SDK has no call for it: the envelope as its documentation of user feedback describes it.
report = {"event_id": crash, "name": "Grace", "email": "grace@example.com", "comments": "The till is too slow"}
envelope = Envelope(headers={"event_id": crash})
envelope.add_item(Item(payload=PayloadRef(json=report), type="user_report"))
client = sentry_sdk.get_client() if new else sentry_sdk.Hub.current.client
client.transport.capture_envelope(envelope)

if new:
    sentry_sdk.get_isolation_scope().end_session()
else:
    sentry_sdk.Hub.current.end_session()
client.flush(timeout=10)
client.close(timeout=10)
sys.exit(0)
