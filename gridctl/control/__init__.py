"""The will: the nine verbs in order. No web server, no database, no wire."""
