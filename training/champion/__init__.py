"""The champion: the network of the variants, trained as well as its 244,522 parameters allow."""
