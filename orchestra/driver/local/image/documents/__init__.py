"""The JSON of images: manifests, indexes and configurations. Pure."""
