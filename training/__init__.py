"""The training job: images in, one SavedModel a variant out."""
