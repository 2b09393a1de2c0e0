from collections.abc import Iterator

import pytest

from tests.runners.kubeflow.services import Services, serve


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    with serve() as services:
        yield services
