"""Layers of images: from archives to directories in overlayfs' form, and one file out of a stack of them."""
