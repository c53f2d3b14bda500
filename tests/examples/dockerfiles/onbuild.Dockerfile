FROM localhost/base AS base
ONBUILD COPY plain.txt /triggered
ONBUILD RUN echo ran >> /triggered
ONBUILD ENV TRIGGERED=yes
FROM base
ONBUILD USER user
