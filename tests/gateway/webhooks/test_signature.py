import base64
import time

import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from serving.gateway.settings import Settings, SettingsError
from serving.gateway.webhooks.signature import headers, secrets_of

OLD, NEW, OTHER = (f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in range(3))
BODY = '{"a":"ü"}'.encode()


def test_another_implementation_verifies_the_signature() -> None:
    sent = dict(headers(secrets_of(SecretStr(NEW)), "evt_1", int(time.time()), BODY))
    assert Webhook(NEW).verify(BODY, sent) == {"a": "ü"}
    for changed in ({**sent, "webhook-id": "evt_2"}, {**sent, "webhook-timestamp": str(int(time.time()) - 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(NEW).verify(BODY, changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(BODY, sent)


def test_while_a_secret_is_replaced_both_verify() -> None:
    sent = dict(headers(secrets_of(SecretStr(f"{NEW} {OLD}")), "evt_1", int(time.time()), BODY))
    for secret in (NEW, OLD):
        Webhook(secret).verify(BODY, sent)


def test_the_example_of_the_standard() -> None:
    secret = secrets_of(SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    sent = headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert sent["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "text",
    [
        "secret",
        "whsec_",
        "whsec_!",
        f"whsec_{'A' * 20}",
        f"whsec_{'A' * 100}",
        NEW[6:],
        f"{NEW} x",
        " ".join([NEW] * 4),
    ],
)
def test_other_text_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"GATEWAY_WEBHOOK_SECRET": text})
    assert str(caught.value).startswith("GATEWAY_WEBHOOK_SECRET cannot be used: it must be `whsec_` and 24 to 64 bytes")
    assert text.removeprefix("whsec_") not in str(caught.value).removeprefix("GATEWAY_WEBHOOK_SECRET") or not text[6:]
