"""Review: what people are asked to look at."""
