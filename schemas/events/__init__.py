"""From the bytes of a record to the columns of a batch."""
