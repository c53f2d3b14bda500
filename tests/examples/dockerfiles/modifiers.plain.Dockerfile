FROM localhost/base
ENV SHORT=thing.tar.gz STEM=/usr/lib/thing.tar ONCE=/usr/share/thing.tar.gz ALL=/usr/lib/Thing.Tar.gz TAIL=/lib/thing.tar.gz CUT=/usr/lib/thing
