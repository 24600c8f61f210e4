#!/usr/bin/env bash
# standardwebhooks 1.1.0: `sign` takes the clock's reading of an aware datetime for UTC, whatever its time zone is.
#
# The signature of a time at +09:00 is that of nine hours later, so a receiver that has the right `webhook-timestamp`
# refuses it: "No matching signature found". A naive `datetime.now()` fails wherever the clock is not UTC's.
# Seen: the same moment verifies as UTC, and does not verify at +09:00.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: standardwebhooks==1.1.0
"$folder/venv/bin/python" - <<'END'
import base64
from datetime import datetime, timedelta, timezone

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook("whsec_" + base64.b64encode(bytes(range(32))).decode())
now = datetime.now(timezone.utc)
seen = {}
for moment in (now, now.astimezone(timezone(timedelta(hours=9)))):
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(int(moment.timestamp()))}
    headers["webhook-signature"] = webhook.sign("evt_1", moment, "{}")
    try:
        webhook.verify("{}", headers)
        seen[moment.utcoffset()] = None
    except WebhookVerificationError as error:
        seen[moment.utcoffset()] = str(error)
    print(f"{moment}: {seen[moment.utcoffset()] or 'verified'}")
assert list(seen.values()) == [None, "No matching signature found"], "the behaviour has changed"
END
