"""Define the arms of each study and the training of their members."""
