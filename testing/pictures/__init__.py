"""Draw pictures of digits as people send them, from strokes, so that no test needs the network, a font or MNIST."""
