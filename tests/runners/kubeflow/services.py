"""What a cluster has besides pods: the object store and the metadata store. They are started once a session."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.runners.kubeflow.metadata import Metadata, serve_metadata
from tests.runners.kubeflow.objects import Objects, serve_objects


@dataclass(frozen=True)
class Services:
    """Stores that any number of clusters share, as their runs have unique IDs.

    Attributes:
        objects: The object store.
        metadata: The metadata store.
    """

    objects: Objects
    metadata: Metadata


@contextmanager
def serve() -> Iterator[Services]:
    """Start both; skip the test where one cannot be had."""
    with serve_metadata() as metadata, serve_objects() as objects:
        yield Services(objects, metadata)
