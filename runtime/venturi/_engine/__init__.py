"""Graphs that run on pictures: sessions, arrays, tiles."""
