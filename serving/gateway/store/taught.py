"""Remember by their hashes which images candidates learned from, so that these are no evidence in experiments."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from serving.gateway.store.store import insert
from serving.gateway.store.tables import taught_images


def add(connection: Connection, hashes: Collection[int]) -> None:
    """Remember images."""
    rows = [{"image": image} for image in sorted(set(hashes))]
    if rows:
        connection.execute(insert(connection.dialect.name, taught_images).on_conflict_do_nothing(), rows)


def among(connection: Connection, hashes: Collection[int]) -> set[int]:
    """Return those of these images that candidates learned from."""
    if not hashes:
        return set()
    return set(connection.execute(select(taught_images.c.image).where(taught_images.c.image.in_(hashes))).scalars())
