"""The base of this project's drivers."""

from tfx.dsl.components.base import base_driver
from tfx.orchestration import metadata
from tfx.orchestration.portable import base_driver as portable_base_driver


class ResolvingDriver(base_driver.BaseDriver, portable_base_driver.BaseDriver):  # type: ignore[misc]
    """Driver whose `run` adds what it resolves to the execution's properties before TFX looks into the cache.

    It has two bases, like the driver of TFX's ExampleGen: TFX checks the class of a component's driver against the
    first and runs it as the second.
    """

    def __init__(self, metadata_handle: metadata.Metadata) -> None:
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)
