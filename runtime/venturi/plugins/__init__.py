"""Venturi in other libraries: Pillow and numcodecs (with it zarr). Each imports its library."""
