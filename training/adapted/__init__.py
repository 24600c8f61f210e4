"""Train the champion on with the labels that people give, and publish the result where it is better."""
