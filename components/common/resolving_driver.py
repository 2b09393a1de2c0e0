"""What the drivers of this project have in common."""

from tfx.dsl.components.base import base_driver
from tfx.orchestration import metadata
from tfx.orchestration.portable import base_driver as portable_base_driver


class ResolvingDriver(base_driver.BaseDriver, portable_base_driver.BaseDriver):  # type: ignore[misc]
    """Base of a driver whose `run` puts what it resolves into the execution's properties, before the cache is asked.

    Two bases: TFX checks the class of a component's driver against the first and runs it as the second, as with the
    driver of its own ExampleGen.
    """

    def __init__(self, metadata_handle: metadata.Metadata) -> None:
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)
