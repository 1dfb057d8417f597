"""What Venturi costs and how good it is, beside the codecs and filters of the same machine."""
