"""Networks: the codec, the denoisers, the autoencoders."""
