"""A photo service: uploads are kept as .vnt files and served as pictures, whole or in part."""
