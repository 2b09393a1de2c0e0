"""Arguments for Beam in this process, as the pipeline's own."""

# No image is used, but naming one keeps TFX from building a source package of itself in every component.
BEAM_ARGUMENTS = ("--runner=FnApiRunner", "--sdk_container_image=none")
