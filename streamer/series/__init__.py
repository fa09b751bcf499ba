"""Series: rows of values by key, their references, and the sources that make values with a memory."""
