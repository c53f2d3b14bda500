FROM localhost/base AS tools
RUN echo tool > /tool
FROM localhost/base
RUN --mount=type=bind,source=tree,target=/source cp /source/nested/x.c /copied
RUN --mount=type=bind,from=tools,source=/tool,target=/tool cat /tool > /from-tools
RUN --mount=type=tmpfs,target=/scratch touch /scratch/gone && cp /scratch/gone /stayed
RUN --mount=type=cache,target=/cache,id=beside touch /cache/kept && echo cached > /cached
