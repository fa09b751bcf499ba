"""One YAML file: its models, how it is read, and what can be wrong with it."""
