"""Checks of a configuration that Kubeflow and Vertex AI share; none of them needs TensorFlow."""

from collections.abc import Collection

from pipeline.config.configuration import Configuration
from schema.errors import Refused


def check_infra_validator(config: Configuration, service: str) -> None:
    """Check that the configuration does without TFX's InfraValidator.

    Args:
        config: The configuration.
        service: Name of the service, for the message.

    Raises:
        Refused: It does not.
    """
    if config.infra_validator is not None:
        raise Refused(
            f"infra_validator: TFX cannot compile it for {service}; set it to null, the canary tries each model"
        )


def check_notify(config: Configuration, variables: Collection[str], give: str) -> None:
    """Check that the last step gets the environment variables that the webhook needs.

    Args:
        config: The configuration.
        variables: Names of the variables that the last step gets.
        give: How to give it a variable, for the message.

    Raises:
        Refused: One is missing, or the address is in the configuration itself.
    """
    notify = config.notify
    if notify is None:
        return
    if notify.url is not None:
        raise Refused(
            "notify.url: everybody who can see the pipeline could read the address; name an environment variable in "
            f"notify.url_from instead, and give it by {give}"
        )
    for key, variable in (("url_from", notify.url_from), ("secret_from", notify.secret_from)):
        # The name is not shown: a secret that was written here by mistake would be shown with it.
        if variable is not None and variable not in variables:
            raise Refused(f"notify.{key}: no container has that environment variable; give it by {give}")
