"""Plan an experiment: how many images, labels and days it takes, by simulating the test that will judge it."""
