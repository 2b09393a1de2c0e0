"""TFX's InfraValidator, which can run beside the canary."""

from tfx import types
from tfx.components import InfraValidator
from tfx.proto import infra_validator_pb2

from components.canary.settings import InfraValidatorSettings


def infra_validator(
    model: types.BaseChannel, examples: types.BaseChannel, settings: InfraValidatorSettings
) -> InfraValidator:
    """Construct the component in which TensorFlow Serving, in a container, loads the model and answers raw examples.

    Args:
        model: The candidate.
        examples: Raw examples, with a split named eval.
        settings: Platform, image and limits.
    """
    serving = infra_validator_pb2.ServingSpec(
        tensorflow_serving=infra_validator_pb2.TensorFlowServing(image_name=settings.image, tags=settings.tags)
    )
    if settings.platform == "docker":
        serving.local_docker.SetInParent()
    else:
        serving.kubernetes.SetInParent()
    return InfraValidator(
        model=model,
        examples=examples,
        serving_spec=serving,
        request_spec=infra_validator_pb2.RequestSpec(
            # The only signature that takes serialized examples and expects no labels.
            tensorflow_serving=infra_validator_pb2.TensorFlowServingRequestSpec(signature_names=["serving_default"]),
            split_name="eval",
            num_examples=settings.examples,
        ),
        validation_spec=infra_validator_pb2.ValidationSpec(
            max_loading_time_seconds=settings.timeout_s, num_tries=settings.tries
        ),
    )
