"""Layers of images: from archives to directories in overlayfs' form, and reading one file from a stack of them."""
