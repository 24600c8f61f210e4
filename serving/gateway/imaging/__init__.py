"""Turn uploaded pictures into pixels framed like the training set."""
