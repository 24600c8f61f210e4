"""The study: arms × seeds, what they come to, and what that says about the claims."""
