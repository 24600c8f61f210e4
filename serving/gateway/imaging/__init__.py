"""Imaging: uploaded pictures become pixels framed as the training set is."""
