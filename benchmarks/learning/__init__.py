"""Learn from labels, with digits of other hands as traffic."""
