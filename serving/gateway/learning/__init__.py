"""Keep labelled images, and hand them to training as an image set."""
