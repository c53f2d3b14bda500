FROM localhost/base
COPY --parents tree/nested/x.c tree/./nested /parents/
COPY --exclude=*.c --exclude=nested tree /excluded
COPY --link plain.txt /linked/
COPY --chmod=u=rwX,go=rX tree /symbolic
ADD --unpack=false archive.tar /packed/
