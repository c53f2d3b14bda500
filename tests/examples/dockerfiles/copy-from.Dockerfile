FROM localhost/base AS one
RUN mkdir -p /out/sub && echo 1 > /out/sub/file && chown -R 3:4 /out && chmod 750 /out/sub && ln -s sub/file /out/link
FROM scratch AS two
COPY --from=0 /out /two
FROM localhost/base
COPY --from=one /out/ /kept/
COPY --from=two --chown=0:0 /two/sub/file /owned
COPY --from=localhost/base /data/one /from-image
COPY --from=one /out/link /resolved
