FROM localhost/base
COPY tree /copied
COPY tree/ /copied-slash/
COPY tree tree/nested /several/
COPY . /whole/
COPY tree /data
COPY tree/nested/../nested /dots
COPY closed /closed
