"""Model registry: the folder of version directories that TensorFlow Serving watches, and that a push adds to.

    <base>/1764000000/                  one version: a SavedModel, with model.json beside saved_model.pb
    <base>/variants/int8/1764000000/    variant of that version, with model.json beside model.onnx or saved_model.pb
    <base>/.incoming-<random>/          a push in progress, or one that was killed
    <base>/.removing-<random>/          a removal in progress, or one that was killed
    <base>/.removed.json                what the removed versions were
    <base>/.lock                        held by whatever changes the registry
    <base>/.owner.json                  the pipeline that the registry belongs to
    <base>/.signatures/1764000000.sig   signature of a version, if somebody signs them
    <base>/.profiles/<model id>/        what the model answers on its eval split, for `watch`
    <base>/.vertex/1764000000/1/        second copy of a version, as TensorFlow Serving on Vertex AI needs it

A version is complete or absent: it is written under a name that TensorFlow Serving skips, as it does any name that is
not an integer (`ParseVersionNumber` in its file_system_storage_path_source.cc), and then renamed. Needs neither
TensorFlow nor TFX for local paths. Import from here, not from the modules below.
"""

from components.registry.integrity import (
    PROFILES,
    SERVING_COPIES,
    Finding,
    check_export,
    check_registry,
    checksums,
    content_id,
    differences,
)
from components.registry.lock import locked
from components.registry.owner import Claimant, FormerOwner, Owner, adopt, check_owner, find_owner
from components.registry.record import (
    SERVING_FOLDER,
    BlessedBy,
    CalibrationRecord,
    CanaryFindings,
    Latency,
    ModelRecord,
    PassedGate,
    RemovedVersions,
    TrainedOn,
)
from components.registry.signatures import check_signatures, sign_versions
from components.registry.store import (
    Incoming,
    Version,
    check_saved_model,
    copy_model,
    find_model,
    find_record,
    latest,
    leftovers,
    originals,
    prepare,
    push,
    removable,
    remove_leftovers,
    remove_versions,
    rollback,
    rollback_target,
    serving_copy,
    standing,
    variant_path,
    variants,
    versions,
    withdrawn,
)

__all__ = [
    "PROFILES",
    "SERVING_COPIES",
    "SERVING_FOLDER",
    "BlessedBy",
    "CalibrationRecord",
    "CanaryFindings",
    "Claimant",
    "Finding",
    "FormerOwner",
    "Incoming",
    "Latency",
    "ModelRecord",
    "Owner",
    "PassedGate",
    "RemovedVersions",
    "TrainedOn",
    "Version",
    "adopt",
    "check_export",
    "check_owner",
    "check_registry",
    "check_saved_model",
    "check_signatures",
    "checksums",
    "content_id",
    "copy_model",
    "differences",
    "find_model",
    "find_owner",
    "find_record",
    "latest",
    "leftovers",
    "locked",
    "originals",
    "prepare",
    "push",
    "removable",
    "remove_leftovers",
    "remove_versions",
    "rollback",
    "rollback_target",
    "serving_copy",
    "sign_versions",
    "standing",
    "variant_path",
    "variants",
    "versions",
    "withdrawn",
]
