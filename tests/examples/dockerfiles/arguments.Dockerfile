ARG VERSION=1
FROM localhost/base
ARG VERSION
ARG ONE=a TWO
ARG THREE="$ONE and $VERSION"
RUN echo "$VERSION|$ONE|$TWO|$THREE" > /arguments
ENV ONE=environment
RUN echo "$ONE" >> /arguments
