"""What the local cloud keeps on disk, so that nothing is lost when it ends, however it ends."""
