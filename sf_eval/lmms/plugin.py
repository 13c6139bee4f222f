"""What the entry point `lmms_eval.models` gives to lmms-eval. No torch here: one slow or broken plugin
stops every other one (lmms-eval wraps all of them in one try)."""

from lmms_eval.models.registry_v2 import ModelManifest

MANIFESTS = ModelManifest(model_id="slowfast", chat_class_path="sf_eval.lmms.adapter.SlowFast")
