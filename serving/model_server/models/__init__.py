"""Models: the registry, the life cycle of versions, and loaded SavedModels."""
