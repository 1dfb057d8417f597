"""The .vnt container and its parts: header, tables, integers, quality."""
