"""One file a question; each reads ``Outcomes`` and knows nothing of survival curves."""
