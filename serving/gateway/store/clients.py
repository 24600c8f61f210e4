"""Tell kinds of clients apart, by what they say of themselves."""

from collections.abc import Mapping

# Their order is stored: add at the end. `page` is the gateway's own page.
KINDS = ("other", "page", "browser", "python", "curl")
AGENTS = (("python", KINDS.index("python")), ("curl/", KINDS.index("curl")), ("mozilla/", KINDS.index("browser")))
LONGEST = 200  # characters that are looked at


def kind_of(headers: Mapping[str, str]) -> int:
    """Return the kind of client that sends these headers, an index of KINDS."""
    agent = headers.get("user-agent", "")[:LONGEST].lower()
    found = next((kind for name, kind in AGENTS if name in agent), 0)
    own = found == KINDS.index("browser") and headers.get("sec-fetch-site") == "same-origin"
    return KINDS.index("page") if own else found
