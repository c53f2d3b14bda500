FROM localhost/base
COPY tree/nested/x.c /parents/tree/nested/x.c
COPY tree/nested /parents/nested
COPY tree/top /excluded/top
COPY plain.txt /linked/
COPY tree /symbolic
RUN chmod -R u=rwX,go=rX /symbolic
COPY archive.tar /packed/
