"""Process: updates, which pushes what happened to the open pages."""
