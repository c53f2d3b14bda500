"""The kernel, one module per subject: thin typed wrappers that raise OSError with the call and the path.

What may live here: system calls and files of /proc, /sys and cgroupfs, on the standard library and ctypes alone. No
policy, no state. Constants are named and grouped as in the kernel's headers.
"""
