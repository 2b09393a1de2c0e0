"""What the pods of the steps get, given to kfp's tasks: container resources, and fields of Kubernetes itself."""

from typing import Any

from kfp import kubernetes

from pipeline.config.kubeflow import KubeflowSettings, KubeflowStep
from runners.kfp.steps import RUN_VARIABLE

_BACKOFF = "60s"
# Kubeflow's API server labels each pod of a run with its ID: backend/src/apiserver/template, SetPodMetadataLabels.
_RUN_LABEL = "metadata.labels['pipeline/runid']"


def prepare_pod(task: Any, settings: KubeflowSettings, step: KubeflowStep) -> None:
    """Give a task of kfp what is configured for its step."""
    _set_container(task, step)
    _set_kubernetes(task, step)
    if settings.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, settings.image_pull_secrets)


def give_variables(task: Any, environment: dict[str, str]) -> None:
    """Give a task of kfp environment variables, and the ID of the run as another one."""
    for variable, value in environment.items():
        task.set_env_variable(variable, value)
    kubernetes.use_field_path_as_env(task, RUN_VARIABLE, _RUN_LABEL)


def _set_container(task: Any, step: KubeflowStep) -> None:
    """Set what the PipelineSpec has fields for."""
    if step.cpu is not None:
        task.set_cpu_request(step.cpu).set_cpu_limit(step.cpu)
    if step.memory is not None:
        task.set_memory_request(step.memory).set_memory_limit(step.memory)
    if step.accelerator is not None:
        task.set_accelerator_type(step.accelerator.type).set_accelerator_limit(step.accelerator.count)
    if step.retries:
        task.set_retry(step.retries, backoff_duration=_BACKOFF)
    for variable, value in step.env.items():
        task.set_env_variable(variable, value)


def _set_kubernetes(task: Any, step: KubeflowStep) -> None:
    """Set what goes into the PlatformSpec."""
    for label, value in step.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    for toleration in step.tolerations:
        kubernetes.add_toleration(task, **toleration.model_dump())
    for secret in step.secrets:
        if secret.env:
            kubernetes.use_secret_as_env(task, secret.name, {key: variable for variable, key in secret.env.items()})
        if secret.mount_path is not None:
            kubernetes.use_secret_as_volume(task, secret.name, secret.mount_path)
    for volume in step.volumes:
        kubernetes.mount_pvc(task, volume.claim, volume.mount_path, volume.sub_path)
    if step.timeout_s is not None:
        kubernetes.set_timeout(task, step.timeout_s)
