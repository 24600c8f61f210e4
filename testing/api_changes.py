"""Find the breaking changes between two OpenAPI documents, as docs/api.md defines them.

Clients break where the API takes less than before, or answers with something that was not promised before. New paths,
new optional parameters and new members of answers break nobody. Bounds of numbers, texts and lists are not compared.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Json = Mapping[str, Any]
DEEPEST = 8  # levels of a schema; some contain themselves
COMPOSED = ("anyOf", "oneOf")
SCALARS = ("string", "integer", "number", "boolean", "null")


class Change(NamedTuple):
    """A breaking change of an operation, such as POST /predict."""

    operation: str
    detail: str

    @property
    def path(self) -> str:
        """Return the path as the docs write it, with NAME for {name}."""
        steps = self.operation.partition(" ")[2].split("/")
        return "/".join(step.strip("{}").upper() if step.startswith("{") else step for step in steps)


def breaking_changes(old: Json, new: Json) -> list[Change]:
    """Return what breaks clients of `old` that call `new`."""
    return [
        Change(f"{method.upper()} {path}", detail)
        for path, methods in old["paths"].items()
        for method, operation in methods.items()
        for detail in _of_operation(operation, new["paths"].get(path, {}).get(method), Schemas(old), Schemas(new))
    ]


class Schemas:
    """The schemas of a document."""

    def __init__(self, document: Json) -> None:
        self._document = document

    def alternatives(self, schema: Json) -> list[Json]:
        """Return the schemas of which a value has to fit one."""
        while "$ref" in schema:
            found: Any = self._document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            schema = found
        for key in COMPOSED:
            if key in schema:
                return [each for part in schema[key] for each in self.alternatives(part)]
        if isinstance(schema.get("type"), list):
            return [{**schema, "type": kind} for kind in schema["type"]]
        return [schema]


def _of_operation(old: Json, new: Json | None, before: Schemas, after: Schemas) -> Iterator[str]:
    if new is None:
        yield "it is gone"
        return
    if {} in old.get("security", [{}]) and {} not in new.get("security", [{}]):
        yield "it needs a key"
    given = {(each["in"], each["name"]): each for each in new.get("parameters", ())}
    for parameter in old.get("parameters", ()):
        name = (parameter["in"], parameter["name"])
        if name not in given:
            yield f"the {name[0]} parameter {name[1]} is gone"
        else:
            yield from _taken(parameter["schema"], given[name]["schema"], before, after, f"{name[0]} {name[1]}")
    known = {(each["in"], each["name"]) for each in old.get("parameters", ())}
    yield from (
        f"the {place} parameter {name} is new and required"
        for (place, name), each in given.items()
        if each.get("required") and (place, name) not in known
    )
    yield from _of_body(old.get("requestBody", {}), new.get("requestBody", {}), before, after)
    for status, answer in old["responses"].items():
        if status not in new["responses"]:
            yield f"the status {status} is gone"
            continue
        there = new["responses"][status].get("content", {})
        for kind, content in answer.get("content", {}).items():
            if kind not in there:
                yield f"{status} no longer answers with {kind}"
            elif "schema" in content:
                yield from _given(content["schema"], there[kind]["schema"], before, after, f"{status}")


def _of_body(old: Json, new: Json, before: Schemas, after: Schemas) -> Iterator[str]:
    if new.get("required") and not old.get("required"):
        yield "the body is required"
    for kind, content in old.get("content", {}).items():
        if kind not in new.get("content", {}):
            yield f"bodies of {kind} are no longer read"
        else:
            yield from _taken(content["schema"], new["content"][kind]["schema"], before, after, "body")


def _taken(old: Json, new: Json, before: Schemas, after: Schemas, place: str, depth: int = 0) -> Iterator[str]:
    """Yield a break where something that was taken no longer is."""
    for one in before.alternatives(old):
        breaks = [list(_fits(one, other, before, after, place, depth, taken=True)) for other in after.alternatives(new)]
        yield from min(breaks, key=len)


def _given(old: Json, new: Json, before: Schemas, after: Schemas, place: str, depth: int = 0) -> Iterator[str]:
    """Yield a break where something is given that was not."""
    for other in after.alternatives(new):
        breaks = [list(_fits(one, other, before, after, place, depth, taken=False)) for one in before.alternatives(old)]
        yield from min(breaks, key=len)


def _fits(
    old: Json, new: Json, before: Schemas, after: Schemas, place: str, depth: int, *, taken: bool
) -> Iterator[str]:
    """Yield what breaks between two schemas without alternatives."""
    was, now = old.get("type"), new.get("type")
    narrow, wide = (was, now) if taken else (now, was)
    if wide is not None and narrow != wide and (narrow, wide) != ("integer", "number"):
        yield f"{place} was {was or 'anything'} and is {now or 'anything'}"
        return
    values = [each.get("enum", [each["const"]] if "const" in each else None) for each in (old, new)]
    if taken and values[1] is not None and (values[0] is None or set(values[0]) - set(values[1])):
        yield f"{place} takes {values[1]} alone"
    if depth == DEEPEST:
        return
    check = _taken if taken else _given
    if "items" in old and "items" in new:
        yield from check(old["items"], new["items"], before, after, f"{place}/*", depth + 1)
    olds, news = old.get("properties", {}), new.get("properties", {})
    for name, schema in olds.items():
        if name in news:
            yield from check(schema, news[name], before, after, f"{place}/{name}", depth + 1)
        elif not taken or new.get("additionalProperties") is False:
            yield f"{place}/{name} is gone"
    required = [set(each.get("required", ())) for each in (old, new)]
    if taken:
        yield from (f"{place}/{name} is required" for name in sorted(required[1] - required[0]))
    else:
        yield from (f"{place}/{name} may be missing" for name in sorted((required[0] - required[1]) & news.keys()))
