"""User models that differ from Django's own in all that is allowed."""
