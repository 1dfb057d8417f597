"""The .vnt container and what stands in it: header, tables, integers, quality."""
