import pytest

from serving.gateway.errors import pointer


@pytest.mark.parametrize(
    ("path", "expected"), [((), ""), (("instances", 3, 12, 5), "/instances/3/12/5"), (("a/b", "~c"), "/a~1b/~0c")]
)
def test_a_pointer_is_escaped(path: tuple, expected: str) -> None:
    assert pointer(*path) == expected
