FROM localhost/base
ADD archive.tar /unpacked/
ADD archive.tar.gz packed.txt.gz /zipped/
ADD archive.tar /as-directory
ADD --chown=5:6 plain.txt /owned
ADD tree /tree
