"""Study arms × seeds, and test the blog post's claims on them."""
