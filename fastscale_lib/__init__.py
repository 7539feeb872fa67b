"""Fast and accurate model scaling, explored: describe a network once; count it, build it, time it, slide it."""
