FROM localhost/base
RUN mkdir -p /made/deep && \
    # a comment in between
    echo shell > /made/deep/file && \
    chmod 640 /made/deep/file && chown 7:8 /made/deep/file && ln -s deep/file /made/link && ln /made/deep/file /made/hard
RUN ["/bin/sh", "-c", "echo \"exec $0 $HOME\" > /made/exec"]
RUN umask > /made/umask; id -u > /made/uid; pwd > /made/pwd; ulimit -c > /dev/null
