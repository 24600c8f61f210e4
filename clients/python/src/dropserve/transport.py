"""Requests to one gateway: sessions that stay connected, retries, timeouts, the key, errors as exceptions."""

import threading
import weakref
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from dropserve.errors import Failed, Refused, Unreachable

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse  # which urllib3 1.26, good for requests too, does not have

CONNECT_SECONDS = 5
MOST_RETRY_SECONDS = 60  # that a `Retry-After` may hold us up
RETRIED = (429, 503)


class PatientRetry(Retry):
    """Retry as urllib3 does, and never wait longer than MOST_RETRY_SECONDS for one attempt."""

    def get_retry_after(self, response: "BaseHTTPResponse") -> float | None:
        """Return the seconds to wait, None where the answer does not say."""
        seconds = super().get_retry_after(response)
        return None if seconds is None else min(seconds, MOST_RETRY_SECONDS)


class Key(requests.auth.AuthBase):
    """Send the key, or none; either way requests takes no password from ~/.netrc instead."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class Transport:
    """Sends requests to the gateway at `url`, from any thread; each has a connection of its own."""

    def __init__(self, url: str, key: str, timeout: float, retries: int) -> None:
        self._url, self._key = url.rstrip("/"), Key(key)
        self._timeout, self._retries = (min(CONNECT_SECONDS, timeout), timeout), retries
        self._local = threading.local()
        self._sessions = weakref.WeakSet[requests.Session]()  # those of ended threads close by themselves

    def send(self, method: str, path: str, **parts: Any) -> Any:
        """Return the JSON of an answer; `parts` are those of `requests.request`. Raise a DropserveError."""
        try:
            answer = self._session().request(method, self._url + path, timeout=self._timeout, **parts)
        except requests.RequestException as error:
            raise Unreachable(f"No gateway answers at {self._url}: {_reason(error)}.") from error
        try:
            content = answer.json()
        except requests.JSONDecodeError as error:
            if answer.ok:
                raise Unreachable(f"{self._url}{path} answers with no JSON; is it a dropserve gateway?") from error
            content = {"detail": f"{self._url}{path}: HTTP status {answer.status_code} {answer.reason}"}
        if answer.ok:
            return content
        problem = content if isinstance(content, dict) else {}
        raise (Refused if answer.status_code < 500 else Failed)(answer.status_code, problem)

    def close(self) -> None:
        """Close the connections of all threads."""
        for session in list(self._sessions):
            session.close()

    def _session(self) -> requests.Session:
        """Return this thread's session."""
        if not hasattr(self._local, "session"):
            session = self._local.session = requests.Session()
            session.auth = self._key
            session.headers["Accept"] = "application/json"
            # A request that was sent and not answered may have been obeyed. Steps of experiments are not repeated.
            session.mount(self._url, HTTPAdapter(max_retries=self._retry(self._retries)))
            session.mount(f"{self._url}/experiments", HTTPAdapter(max_retries=self._retry(0)))
            self._sessions.add(session)
        session = self._local.session
        assert isinstance(session, requests.Session)
        return session

    def _retry(self, unanswered: int) -> Retry:
        return PatientRetry(
            self._retries, connect=min(1, self._retries), read=unanswered, redirect=0, status_forcelist=RETRIED,
            allowed_methods=None, backoff_factor=0.2, raise_on_status=False, raise_on_redirect=False,
        )  # fmt: skip


def _reason(error: BaseException) -> BaseException | str:
    """Return the first cause of an error, which requests and urllib3 wrap several times."""
    if isinstance(error, requests.Timeout):
        return "it took too long"
    while error.__context__:
        error = error.__context__
    return error
