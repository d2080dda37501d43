"""Fixtures that several tests share."""

from collections.abc import Iterator

import pytest

from tests.local_stack import LocalStack


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """One whole local stack for all tests that do it no harm."""
    stack = LocalStack(tmp_path_factory.mktemp("stack"))
    stack.up()
    try:
        yield stack
    finally:
        stack.down()
