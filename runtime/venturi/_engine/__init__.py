"""Run graphs on pictures: sessions, arrays, tiles."""
