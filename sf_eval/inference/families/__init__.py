"""One file a family of models: how it fits `sf_eval.inference.family.VideoModel`."""
