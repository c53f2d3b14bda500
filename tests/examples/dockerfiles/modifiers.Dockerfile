FROM localhost/base
ARG PATH_OF=/usr/lib/thing.tar.gz
ENV SHORT=${PATH_OF##*/} STEM=${PATH_OF%.gz} ONCE=${PATH_OF/lib/share} ALL=${PATH_OF//t/T} TAIL=${PATH_OF#/usr} CUT=${PATH_OF%%.*}
