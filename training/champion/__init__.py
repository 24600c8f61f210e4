"""Train the variants' network as well as its parameters allow: the champion."""
