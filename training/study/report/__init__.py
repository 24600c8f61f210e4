"""Show the study's results as one HTML page."""
