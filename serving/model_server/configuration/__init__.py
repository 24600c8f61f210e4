"""Configuration: flags, and the text-format files that they name."""
