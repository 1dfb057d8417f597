"""Turn a trained run into a bundle that the runtime takes: ``python -m export RUN``."""
