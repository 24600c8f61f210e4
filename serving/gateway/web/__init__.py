"""Web: request bodies, parameters, answers and problems, for every endpoint alike."""
