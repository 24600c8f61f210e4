"""A protocol of predictions: how its clients ask, and how they are answered."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from serving.gateway.imaging.uploads import Effort
from serving.gateway.inference.fallback import Fallback
from serving.gateway.inference.tf_serving.client import Answer
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.manifest import Manifest
from serving.gateway.settings import Settings
from serving.gateway.web.replies import Reply
from serving.gateway.web.request import Request


class Asked(NamedTuple):
    """The variant or experiment that a request asks; without either the gateway chooses."""

    variant: str | None
    experiment: str | None
    uncertainty: bool = False


class Received(NamedTuple):
    """The images of a request, and the form in which its protocol wants the reply."""

    images: Images
    form: Any = None


class Predicted(NamedTuple):
    """The answer about the images of a request, to be put into a reply."""

    request_id: str
    variant: str
    answer: Answer
    labels: Sequence[str]
    ids: Sequence[str]  # of the predictions
    experiment: str | None
    fallback: Fallback | None
    received: Received


class Protocol(NamedTuple):
    """A protocol of predictions; its functions raise GatewayErrors, and `read` raises Heavy.

    `asked` reads the head of a request, `read` its body for a signature, and `reply` makes the reply.
    """

    asked: Callable[[Request, Manifest], Asked]
    read: Callable[[Request, Manifest, Settings, Effort, str], Received]
    reply: Callable[[Predicted], Reply]
