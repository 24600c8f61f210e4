"""Compute the statistics of the results and the answers to the post's claims."""
